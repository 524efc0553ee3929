/** Characters of a header that a browser may send: a proof of an RSA key of 4,096 bits has some 1,600. */
const maxLength = 4_096

/** The text of a header, in quotes (RFC 9651, section 3.3.3) or without, as browsers send it today; `null`: there is none. */
export function textOf(header: string | string[] | undefined): string | null {
  if (typeof header !== 'string' || header === '' || header.length > maxLength) return null
  return /^".*"$/.test(header) ? header.slice(1, -1) : header
}

/** Offers a registration (W3C Device Bound Session Credentials, `Secure-Session-Registration`). */
export function registrationHeader(path: string, challenge: string): string {
  return `(ES256 RS256);path="${path}";challenge="${challenge}"`
}

export function challengeHeader(id: string, challenge: string): string {
  return `"${challenge}";id="${id}"`
}

/** True if the browser says that it could not refresh its proof because the server did not answer. */
export function saysUnreachable(header: string | string[] | undefined): boolean {
  return header !== undefined && /(?:^|[\s,"])(?:server_error|unreachable)(?:$|[\s,;"])/.test(String(header))
}
