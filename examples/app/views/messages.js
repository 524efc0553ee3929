// @ts-check
import { html } from './html.js'

/** @param {readonly string[]} messages What came of the last forms. */
export function messageList(messages) {
  return messages.map((message) => html`<p class="notice" role="status">${message}</p>`)
}
