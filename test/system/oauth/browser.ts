/** A browser as far as sign-in needs one: cookies of each origin, and forms. It follows no redirect by itself. */
export class Browser {
  readonly #jars = new Map<string, Map<string, string>>()

  /** The cookies of an origin; changing them is what somebody does who has the browser in hand. */
  cookies(url: string): Map<string, string> {
    const { origin } = new URL(url)
    const jar = this.#jars.get(origin) ?? new Map<string, string>()
    this.#jars.set(origin, jar)
    return jar
  }

  async get(url: string, headers: Record<string, string> = {}): Promise<Response> {
    return await this.#send(url, { method: 'GET', headers: { accept: 'text/html', ...headers } })
  }

  async post(
    url: string,
    form: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return await this.#send(url, { method: 'POST', headers, body: new URLSearchParams(form) })
  }

  async #send(
    url: string,
    init: { method: string; headers: Record<string, string>; body?: URLSearchParams },
  ) {
    const jar = this.cookies(url)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = cookie === '' ? init.headers : { ...init.headers, cookie }
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) store(jar, line)
    return response
  }
}

function store(jar: Map<string, string>, line: string): void {
  const [pair = '', ...attributes] = line.split(/; */)
  const [, name = '', value = ''] = /^([^=]*)=(.*)$/.exec(pair) ?? []
  const gone = attributes.some((attribute) => /^(?:max-age=0|expires=thu, 01 jan 1970)/i.test(attribute))
  if (gone || value === '') jar.delete(name)
  else jar.set(name, value)
}

/** The absolute URL that the response sends the browser to. */
export function locationOf(response: Response): string {
  const location = response.headers.get('location')
  if (location === null) throw new Error(`no redirect, but ${response.status} from ${response.url}`)
  return new URL(location, response.url).href
}
