import type { ActivityStats } from '../../../lib/index.js'
import type { Place, StoreName } from './backend.js'

/** What an application process is started with. */
export interface AppSettings extends Place {
  readonly store: StoreName
  /** Where it listens; 0: anywhere. */
  readonly listenOn: number
  readonly storeTimeout: number
  readonly flushInterval: number
  readonly flushTimeout: number
  readonly maxBatchSize: number
  readonly sweepInterval: number
  readonly idleTimeout: number
  readonly absoluteTimeout: number
  /** Bytes of metadata that a session carries. */
  readonly metadataBytes: number
}

/** What an application process can be told. */
export type Command =
  | { readonly kind: 'stepClock'; readonly offset: number }
  | { readonly kind: 'failEvery'; readonly calls: number | null }
  | { readonly kind: 'dieInFlush' }
  | { readonly kind: 'limitPages'; readonly pages: number }
  | { readonly kind: 'measure' }
  | { readonly kind: 'close' }

/** What the process weighs, after a collection of garbage. */
export interface Measurement {
  readonly heapBytes: number
  readonly rssBytes: number
  /** What keeps the event loop busy, counted by kind. */
  readonly handles: Readonly<Record<string, number>>
}

export interface Report {
  readonly stats: ActivityStats
  /** Verified requests on routes that count as activity. */
  readonly activeRequests: number
}

/** How long ago the flush before the one under way began. */
export interface FlushAge {
  readonly msSinceLastFlushBegan: number
  /** Of these, what the process had nothing to do. A disk that is slow holds the process on SQLite. */
  readonly idleMsSinceLastFlushBegan: number
}

/** The process is killed in the middle of a flush. */
export interface Death extends FlushAge {
  /** Milliseconds since the epoch. */
  readonly at: number
}

export interface Request {
  readonly id: number
  readonly command: Command
}

/** What an application process answers, and what it says unasked: that it listens, and that it is about to be killed. */
export type Reply =
  | { readonly listening: number }
  | { readonly dying: Death }
  | { readonly id: number; readonly result: Measurement | Report | null }
