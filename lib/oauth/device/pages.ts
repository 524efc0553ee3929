import type { DevicePage, OAuthTexts } from '../../../types/oauth.js'
import { type Html, html } from '../pages/html.js'
import { fill } from '../pages/texts.js'
import { showUserCode } from './codes.js'

/** What every page of these is made with. */
export interface PageParts {
  /** Where the forms go. */
  readonly action: string
  readonly texts: OAuthTexts
  readonly devicesPage: string | null
}

/** What the user decides about. */
export interface ConsentRequest {
  readonly userCode: string
  /** What the client calls itself; `null`: nothing. */
  readonly client: string | null
  /** The account that it asks for, as its user knows it. */
  readonly account: string
  /** Milliseconds since the device asked. */
  readonly age: number
  /** Where the device is, and where the browser is; `null`: not known. */
  readonly place: string | null
  readonly browserPlace: string | null
}

const minute = 60_000

/** Where the code is typed. */
export function codePage({ action, texts }: PageParts, typed: string, problem: string | null): DevicePage {
  const alert = problem === null ? html`` : html`<p role="alert" id="problem">${problem}</p>\n`
  const invalid = problem === null ? html`` : html` aria-invalid="true" aria-describedby="problem"`
  return {
    title: texts.codeTitle,
    body: html`${alert}<form method="post" action="${action}">
<p><label for="user_code">${texts.codeLabel}</label></p>
<p><input id="user_code" name="user_code" value="${typed}" required maxlength="20" autocomplete="off" autocapitalize="characters" spellcheck="false" autofocus${invalid}></p>
<p class="actions"><button>${texts.codeContinue}</button></p>
</form>`.toString(),
  }
}

/** How long ago, in the language of the pages. */
function ago(age: number, { language }: OAuthTexts): string {
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto' })
  const passed = Math.max(0, age)
  return passed < minute
    ? format.format(-Math.floor(passed / 1_000), 'second')
    : format.format(-Math.floor(passed / minute), 'minute')
}

function whereIs({ place, browserPlace }: ConsentRequest, texts: OAuthTexts): string | null {
  if (place === null || browserPlace === null) return place
  return fill(place === browserPlace ? texts.samePlace : texts.otherPlace, { place, browserPlace })
}

function fact(name: string, value: string): Html {
  return html`<dt>${name}</dt><dd>${value}</dd>\n`
}

/**
 * Asks whether the device with this code may sign in as the user. RFC 8628, section 5.4, is about those who trick others
 * here: so it says who, what, when and where, and neither button is the obvious one.
 */
export function confirmPage({ action, texts }: PageParts, request: ConsentRequest): DevicePage {
  const { userCode, client, account, age } = request
  const shown = showUserCode(userCode)
  const who = client === null ? texts.consentDevice : fill(texts.consentClient, { client })
  const place = whereIs(request, texts)
  return {
    title: texts.consentTitle,
    body: html`<p>${who}</p>
<p class="code">${shown}</p>
<dl class="facts">
${fact(texts.account, account)}${fact(texts.requestedAt, ago(age, texts))}${place === null ? '' : fact(texts.place, place)}</dl>
<p>${texts.consentWarning}</p>
<form method="post" action="${action}">
<input type="hidden" name="user_code" value="${shown}">
<p class="actions"><button name="decision" value="deny">${texts.deny}</button> <button name="decision" value="allow">${texts.allow}</button></p>
</form>`.toString(),
  }
}

function endPage({ texts, devicesPage }: PageParts, title: string, text: string, form: Html): DevicePage {
  const link = devicesPage === null ? '' : html`\n<p><a href="${devicesPage}">${texts.devices}</a></p>`
  return { title, body: html`<p>${text}</p>${form}${link}`.toString() }
}

/** After the user allowed it: the device has not asked again yet, and it may be taken back. `id` is that of the code. */
export function allowedPage(parts: PageParts, id: string): DevicePage {
  const { action, texts } = parts
  const form = html`
<form method="post" action="${action}">
<input type="hidden" name="device" value="${id}">
<p class="actions"><button name="decision" value="undo">${texts.undo}</button></p>
</form>`
  return endPage(parts, texts.allowedTitle, texts.allowedText, form)
}

export function deniedPage(parts: PageParts): DevicePage {
  return endPage(parts, parts.texts.deniedTitle, parts.texts.deniedText, html``)
}

/** After the user took it back; `done` if there was something to take back. */
export function undonePage(parts: PageParts, done: boolean): DevicePage {
  const { undoneTitle, undoneText, notUndoneTitle, notUndoneText } = parts.texts
  return done
    ? endPage(parts, undoneTitle, undoneText, html``)
    : endPage(parts, notUndoneTitle, notUndoneText, html``)
}
