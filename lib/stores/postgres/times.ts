import type { Session } from '../../../types/session.js'

const space = ' '.charCodeAt(0)
const minus = '-'.charCodeAt(0)
const zero = '0'.charCodeAt(0)

function milliseconds(column: string): string {
  return `(extract(epoch FROM ${column}) * 1000)::bigint`
}

/** SQL for a time as whole milliseconds since the epoch, whatever time zone and date style the connection has. */
export function epochOf(column: string): string {
  return `${milliseconds(column)}::text AS ${column}`
}

/** The time that `epochOf` selected. */
export function toDate(milliseconds: string | null | undefined): Date {
  return new Date(Number(milliseconds))
}

/** SQL for the times of a session and its idle timeout in one column, with a space between: each column costs a read. */
export const sessionTimes = `concat(
  ${milliseconds('created_at')}, ' ', ${milliseconds('last_activity_at')}, ' ', ${milliseconds('absolute_deadline')}, ' ',
  ${milliseconds('idle_deadline')}, ' ', idle_timeout) AS times`

/** Whole numbers with a space between, `NaN` if none is; digit by digit, as every request passes here. */
function numbersIn(text: string): number[] {
  const numbers: number[] = []
  let number = Number.NaN
  let sign = 1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === space) {
      numbers.push(sign * number)
      number = Number.NaN
      sign = 1
    } else if (code === minus) sign = -1
    else number = (Number.isNaN(number) ? 0 : number) * 10 + (code - zero)
  }
  numbers.push(sign * number)
  return numbers
}

type SessionTimes = Pick<
  Session,
  'createdAt' | 'lastActivityAt' | 'idleTimeout' | 'idleDeadline' | 'absoluteDeadline'
>

/** What `sessionTimes` selected. */
export function toTimes(text: string): SessionTimes {
  const [createdAt, lastActivityAt, absoluteDeadline, idleDeadline, idleTimeout] = numbersIn(text) as [
    ...[number, number, number, number, number],
  ]
  return {
    createdAt: new Date(createdAt),
    lastActivityAt: new Date(lastActivityAt),
    idleTimeout: Number.isNaN(idleTimeout) ? null : idleTimeout,
    idleDeadline: Number.isNaN(idleDeadline) ? null : new Date(idleDeadline),
    absoluteDeadline: new Date(absoluteDeadline),
  }
}
