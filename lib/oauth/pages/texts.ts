import type { OAuthTexts } from '../../../types/oauth.js'
import { errorCodes } from '../../core/errors.js'
import { checkObject, checkText, optionError } from '../../core/validation.js'

/** What the pages say without the option `texts`: the whole of it, for a translation to begin with. */
export const defaultTexts: OAuthTexts = Object.freeze({
  language: 'en',
  signInCancelled: 'Signing in was cancelled',
  signInFailed: 'Sign-in did not succeed',
  deviceFailed: 'The device is not connected',
  goBack: 'Go back',
  tryAgain: 'Try again',
  unavailable: 'Sign-in is unavailable; try again in a moment',
  unknownProblem: 'Something went wrong',
  errors: Object.freeze({}),
  codeTitle: 'Connect a device',
  codeLabel: 'The code that the device shows',
  codeContinue: 'Continue',
  consentTitle: 'Connect this device?',
  consentClient: '“{client}” asks to be signed in to your account. Its code:',
  consentDevice: 'A device asks to be signed in to your account. Its code:',
  consentWarning:
    'Allow it only if you started this yourself and the device in front of you shows this code. If somebody sent you the code or the link, deny it.',
  account: 'Account',
  requestedAt: 'Requested',
  place: 'From',
  samePlace: '{place}, as this browser',
  otherPlace: '{place}; this browser: {browserPlace}',
  allow: 'Allow',
  deny: 'Deny',
  allowedTitle: 'You allowed the device',
  allowedText: 'It is signed in when it asks next, usually within seconds, and tells you so itself.',
  deniedTitle: 'The device was denied',
  deniedText: 'It was not signed in. You can close this page.',
  undo: 'Undo: sign it out',
  undoneTitle: 'The device is not signed in',
  undoneText: 'What you allowed is taken back.',
  notUndoneTitle: 'This cannot be undone here',
  notUndoneText: 'The device may be signed in. Look at your devices, and sign it out there.',
  devices: 'Your devices',
})

type TextName = Exclude<keyof OAuthTexts, 'language' | 'errors'>

function placeholdersOf(text: string): string {
  return [...new Set(text.match(/\{\w*\}/g))].sort().join(' ')
}

/** A translation that leaves a placeholder out would not say who asks. */
function checkTemplate(name: TextName, value: unknown): string {
  const needed = placeholdersOf(defaultTexts[name])
  const expected = needed === '' ? 'a text without placeholders' : `a text with ${needed}`
  const text = checkText(`texts.${name}`, value, expected)
  if (placeholdersOf(text) === needed) return text
  throw optionError(`texts.${name}`, text, expected)
}

function checkLanguage(value: unknown): string {
  const expected = 'a language tag such as en or pt-BR'
  const tag = checkText('texts.language', value, expected, /^[A-Za-z\d-]+$/)
  try {
    return Intl.getCanonicalLocales(tag)[0] as string
  } catch {
    throw optionError('texts.language', tag, expected)
  }
}

function parseErrors(value: unknown): OAuthTexts['errors'] {
  const given = checkObject('texts.errors', value, errorCodes)
  const entries = Object.entries(given).filter(([, text]) => text !== undefined)
  return Object.freeze(
    Object.fromEntries(
      entries.map(([code, text]) => [code, checkText(`texts.errors.${code}`, text, 'a text')]),
    ),
  )
}

/** Completes the option `texts`; throws `GOSESH_ERR_OPTION`. */
export function parseTexts(value: unknown): OAuthTexts {
  const given = checkObject('texts', value, Object.keys(defaultTexts))
  const texts: Record<string, unknown> = { ...defaultTexts }
  for (const [name, text] of Object.entries(given)) {
    if (text === undefined) continue
    if (name === 'language') texts.language = checkLanguage(text)
    else if (name === 'errors') texts.errors = parseErrors(text)
    else texts[name] = checkTemplate(name as TextName, text)
  }
  return Object.freeze(texts) as unknown as OAuthTexts
}

/** The text with its placeholders filled in. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (_placeholder, name: string) => values[name] as string)
}
