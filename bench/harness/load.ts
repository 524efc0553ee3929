import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { onLoadCore } from './cores.js'
import { requirePackage } from './load-package.js'
import { makeTemporaryFolder } from './temporary.js'

/** What a load generator saw. Latencies are in milliseconds. */
export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  readonly p50: number
  readonly p99: number
}

interface LoadOptions {
  readonly url: string
  readonly seconds: number
  readonly connections: number
  /** Milliseconds that each connection waits before a request. Default: none, which keeps the server busy. */
  readonly pause?: number
}

export interface Load {
  /** Sends requests to the url for so long, one after another on each connection. */
  run(options: LoadOptions): Promise<LoadResult>
  close(): void
}

interface Counted extends LoadResult {
  readonly errors: number
}

/** The part of autocannon that is used here. */
type Autocannon = (options: object) => Promise<{
  readonly requests: { readonly total: number }
  readonly duration: number
  readonly latency: { readonly p50: number; readonly p99: number }
  readonly errors: number
  readonly non2xx: number
}>

/** Goes round the cookies, one a request; an empty line is a request without one. */
const script = `
local requests, at = {}, 0
function init(args)
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format('GET', nil, line ~= '' and { Cookie = line } or {})
  end
  -- Not every run begins with the same ones.
  at = math.floor(tonumber(args[2]) * #requests)
  local pause = tonumber(args[3])
  if pause > 0 then delay = function() return math.random(0, 2 * pause) end end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"errors":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
`

function checked({ errors, ...result }: Counted, url: string): LoadResult {
  if (errors > 0) throw new Error(`${errors} of ${result.requests} requests to ${url} failed`)
  return result
}

function hasWrk(): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v wrk'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The load generator's name, as the results show it. */
export const loadGenerator = hasWrk() ? 'wrk' : 'autocannon'

function wrkLoad(cookies: readonly string[], pinned: boolean): Load {
  const folder = makeTemporaryFolder()
  const [scriptFile, cookiesFile] = [join(folder.path, 'load.lua'), join(folder.path, 'cookies')]
  writeFileSync(scriptFile, script)
  writeFileSync(cookiesFile, `${cookies.join('\n')}\n`)
  return {
    async run({ url, seconds, connections, pause = 0 }) {
      const values = [cookiesFile, `${Math.random()}`, `${pause}`]
      const flags = ['-t1', `-c${connections}`, '-d60s', '-s', scriptFile, url, '--', ...values]
      const [command, args] = pinned ? onLoadCore('wrk', flags) : ['wrk', flags]
      const wrk = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      const output = text(wrk.stdout)
      // wrk takes whole seconds; an interrupt ends it sooner, and it counts up to then.
      await delay(seconds * 1_000)
      wrk.kill('SIGINT')
      await once(wrk, 'exit')
      const line = /^RESULT (.*)$/m.exec(await output)?.[1]
      if (line === undefined) throw new Error(`wrk: ${await output}`)
      return checked(JSON.parse(line) as Counted, url)
    },
    close: () => folder.remove(),
  }
}

function autocannonLoad(cookies: readonly string[]): Load {
  const autocannon = requirePackage<Autocannon>('autocannon')
  const requests = cookies.map((cookie) => ({ headers: cookie === '' ? {} : { cookie } }))
  return {
    async run({ url, seconds, connections, pause = 0 }) {
      const {
        requests: sent,
        duration,
        latency,
        errors,
        non2xx,
      } = await autocannon({
        url,
        connections,
        duration: seconds,
        requests,
        ...(pause > 0 ? { overallRate: (connections * 1_000) / pause } : {}),
      })
      return checked(
        {
          requests: sent.total,
          seconds: duration,
          p50: latency.p50,
          p99: latency.p99,
          errors: errors + non2xx,
        },
        url,
      )
    },
    close() {},
  }
}

/** A load that presents these cookies in turn, sent from another process than the server's. */
export function loadWith(cookies: readonly string[], pinned: boolean): Load {
  return loadGenerator === 'wrk' ? wrkLoad(cookies, pinned) : autocannonLoad(cookies)
}
