// @ts-check

/**
 * What to try, for the terminal. Every line that is indented by two spaces is a command.
 *
 * @param {string} url
 */
export function guide(url) {
  const signIn = `-H 'content-type: application/json' -d '{"user":"ada"}'`
  return `gosesh demo: ${url} (Ctrl-C stops it)

Open it in a browser, or use a shell. With a cookie:

  curl -c jar.txt ${signIn} ${url}/api/login
  curl -b jar.txt ${url}/api/me
  curl -b jar.txt ${url}/api/sessions
  curl -b jar.txt -X POST ${url}/api/logout-everywhere-else
  curl -b jar.txt -c jar.txt -X POST ${url}/api/logout
  curl -b jar.txt ${url}/api/me

With a bearer token:

  TOKEN=$(curl -s ${signIn} ${url}/api/token | node -p 'JSON.parse(fs.readFileSync(0)).token')
  curl -H "authorization: Bearer $TOKEN" ${url}/api/me
  curl -H "authorization: Bearer $TOKEN" -X POST ${url}/api/logout
`
}
