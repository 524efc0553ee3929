import type { Logger } from '../../lib/index.js'

const levels = ['debug', 'info', 'warn', 'error'] as const

interface LogLine {
  readonly level: (typeof levels)[number]
  readonly details: Record<string, unknown>
  readonly message: string
}

/** A logger that keeps its lines. */
export interface RecordingLogger extends Logger {
  readonly lines: LogLine[]
  withMessage(message: string): LogLine[]
  above(level: 'debug' | 'info'): LogLine[]
}

export function recordingLogger(): RecordingLogger {
  const lines: LogLine[] = []
  const at = (level: LogLine['level']) => (details: object, message: string) => {
    lines.push({ level, details: details as Record<string, unknown>, message })
  }
  return {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    withMessage: (message) => lines.filter((line) => line.message === message),
    above: (level) => lines.filter((line) => levels.indexOf(line.level) > levels.indexOf(level)),
  }
}
