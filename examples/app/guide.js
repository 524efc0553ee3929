// @ts-check

/**
 * The line that runs the command-line client against the application at `origin`.
 *
 * @param {string} origin
 * @param {string} command
 */
export function cliCommand(origin, command) {
  const address = origin === 'http://localhost:3000' ? '' : `APP_URL=${origin} `
  return `${address}node examples/app/cli.js ${command}`
}

/**
 * How to open it in a browser that binds its session: nobody vouches for the certificate, and a warning that is clicked away is
 * not enough.
 *
 * @param {string} origin
 * @param {string} keyHash
 */
function boundGuide(origin, keyHash) {
  const features = 'DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting'
  return `
In Chrome or Chromium, with sessions that are bound to a key (in software, for trying):

  chromium --user-data-dir=/tmp/bound --enable-features=${features} --ignore-certificate-errors-spki-list=${keyHash} ${origin}
`
}

/**
 * What to try, for the terminal. Every line that is indented by two spaces is a command.
 *
 * @param {{ origin: string, provider: { label: string, issuer: string, localPort: number | null }, keyHash?: string | undefined }} config
 */
export function guide({ origin, provider, keyHash }) {
  const { label, issuer, localPort } = provider
  const standIn =
    localPort === null ? '' : ', a stand-in on this machine: warnings of oidc-provider are about it alone'
  return `gosesh example: ${origin} (Ctrl-C stops it)
It signs in with ${label} (${issuer})${standIn}

Open it in a browser, and in a second one or a private window. From a terminal:

${['sign-in', 'whoami', 'sign-out'].map((command) => `  ${cliCommand(origin, command)}\n`).join('')}${keyHash === undefined ? '' : boundGuide(origin, keyHash)}`
}
