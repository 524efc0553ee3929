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
 * What to try, for the terminal. Every line that is indented by two spaces is a command.
 *
 * @param {{ origin: string, provider: { label: string, issuer: string, localPort: number | null } }} config
 */
export function guide({ origin, provider }) {
  const { label, issuer, localPort } = provider
  const standIn =
    localPort === null ? '' : ', a stand-in on this machine: warnings of oidc-provider are about it alone'
  return `gosesh example: ${origin} (Ctrl-C stops it)
It signs in with ${label} (${issuer})${standIn}

Open it in a browser, and in a second one or a private window. From a terminal:

${['sign-in', 'whoami', 'sign-out'].map((command) => `  ${cliCommand(origin, command)}\n`).join('')}`
}
