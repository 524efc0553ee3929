import type { Test } from 'tap'
import { ActivityFlusher, PublicTracker, type TrackerSettings } from '../../../lib/activity/flusher.js'
import { createSessionId } from '../../../lib/core/token.js'
import type { FlushError, SessionId } from '../../../lib/index.js'
import { fakeTime } from '../../tools/clock.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'

export function newId(): SessionId {
  return createSessionId()
}

export function setUp(t: Test, given: Partial<TrackerSettings> = {}) {
  const time = fakeTime(t)
  const store = new WatchedStore()
  const log = recordingLogger()
  const failures: FlushError[] = []
  const settings: TrackerSettings = {
    flushInterval: 30_000,
    flushTimeout: 5_000,
    maxBatchSize: 5_000,
    maxPending: 1_000_000,
    onFlushError: (error) => void failures.push(error),
    ...given,
  }
  const flusher = new ActivityFlusher(store, settings, time, log)
  return { time, store, log, failures, flusher, tracker: new PublicTracker(flusher) }
}
