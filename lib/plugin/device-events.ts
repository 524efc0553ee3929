import type { DeviceKeyMessage, DeviceRefusalMessage } from '../../types/device-binding.js'
import { channels, eventError } from '../core/diagnostics.js'
import { DeviceRefusal } from '../device-binding/endpoints.js'
import type { SessionEvents } from '../session/events.js'

/** Answers a browser by calling `answer`, and publishes how that went. */
export async function published<T extends { readonly session_identifier: DeviceKeyMessage['sessionId'] }>(
  events: SessionEvents,
  channel: 'deviceRegistration' | 'deviceRefresh',
  reqId: string,
  answer: () => Promise<T>,
): Promise<T> {
  const started = performance.now()
  const publish = (message: Omit<DeviceKeyMessage, 'durationMs'>): void => {
    channels[channel].publish({
      ...message,
      durationMs: performance.now() - started,
    } satisfies DeviceKeyMessage)
  }
  try {
    const result = await answer()
    const sessionId = result.session_identifier
    publish({ outcome: 'accepted', reason: null, sessionId, error: null })
    if (channel === 'deviceRegistration') {
      events.log.info({ event: 'gosesh:device-bound', reqId, sessionId }, 'session bound to a device')
    }
    return result
  } catch (error) {
    if (!(error instanceof DeviceRefusal)) {
      publish({ outcome: 'failed', reason: null, sessionId: null, error: eventError(error) })
      throw error
    }
    const { reason, sessionId } = error
    publish({ outcome: 'refused', reason, sessionId, error: null })
    // Each refresh is challenged first.
    if (reason !== 'challenged') {
      const details = { event: 'gosesh:device-key-refused', reqId, sessionId, reason }
      events.log.info(details, 'the key of a device was not accepted')
    }
    throw error
  }
}

/** Publishes that a request of a bound session came without a valid proof. */
export function refused(events: SessionEvents, message: DeviceRefusalMessage, reqId: string): void {
  channels.deviceRefusal.publish(message)
  events.log.info(
    { event: 'gosesh:device-refused', reqId, ...message },
    'a bound session came without its proof',
  )
}
