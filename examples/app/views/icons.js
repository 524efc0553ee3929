// @ts-check
import { html } from './html.js'

/** @typedef {import('../devices.js').DeviceKind} DeviceKind */

/** @type {Record<DeviceKind, import('./html.js').Html>} */
const shapes = {
  computer: html`<rect x="3" y="4" width="18" height="12" rx="2" /><path d="M8 20h8M12 16v4" />`,
  phone: html`<rect x="7" y="2.5" width="10" height="19" rx="2.5" /><path d="M11 18.5h2" />`,
  terminal: html`<rect x="3" y="4" width="18" height="16" rx="2" /><path d="m7 9 3 3-3 3M12.5 15H17" />`,
  unknown: html`<circle cx="12" cy="12" r="9" /><path d="M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.7.4-1.1 1-1.1 1.8M12 17h.01" />`,
}

/** @param {DeviceKind} kind */
export function deviceIcon(kind) {
  return html`<svg class="icon" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">${shapes[kind]}</svg>`
}
