import type { DevicePage } from '../../../types/oauth.js'
import { escapeHtml } from '../html.js'
import { showUserCode } from './codes.js'

/** Where the code is typed. */
export function codePage(action: string, typed: string, problem: string | null): DevicePage {
  const alert = problem === null ? '' : `<p role="alert" id="problem">${escapeHtml(problem)}</p>\n`
  const invalid = problem === null ? '' : ' aria-invalid="true" aria-describedby="problem"'
  return {
    title: 'Connect a device',
    body: `${alert}<form method="post" action="${escapeHtml(action)}">
<p><label for="user_code">The code that the device shows</label></p>
<p><input id="user_code" name="user_code" value="${escapeHtml(typed)}" required maxlength="20" autocomplete="off" autocapitalize="characters" spellcheck="false"${invalid}></p>
<p><button>Continue</button></p>
</form>`,
  }
}

/** Asks whether the device with this code may sign in as the user; RFC 8628, section 5.4, is about those who trick others here. */
export function confirmPage(action: string, userCode: string, client: string | null): DevicePage {
  const shown = showUserCode(userCode)
  const who = client === null ? 'A device' : `“${escapeHtml(client)}”`
  return {
    title: 'Connect this device?',
    body: `<p>${who} asks to be signed in to your account. Allow it only where you started this yourself, and the device
shows the code <strong>${shown}</strong>.</p>
<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="user_code" value="${shown}">
<p><button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></p>
</form>`,
  }
}

export function donePage(allowed: boolean): DevicePage {
  return allowed
    ? { title: 'The device is connected', body: '<p>You can close this page.</p>' }
    : { title: 'The device was denied', body: '<p>It was not signed in. You can close this page.</p>' }
}
