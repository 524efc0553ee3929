import { randomBytes } from 'node:crypto'
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Bytes. What is in the log of a disk that has just filled up must fit into the database: some 200 pages, and as much
 * again for what was written while that failed.
 */
const size = 2 * 1024 * 1024
const diskFull: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT'])

/**
 * A file beside the database that takes up space until the disk is full. It is then removed, so that sessions can still
 * be ended; none can begin before it is back. Of several processes with one database, each makes and removes the same one.
 */
export class Reserve {
  readonly #path: string
  /** The directory takes no file of ours, so there is no reserve. */
  #refused = false

  constructor(databasePath: string) {
    this.#path = `${databasePath}-reserve`
  }

  /** Makes the file if it is not there. Throws if the disk has no room for it. */
  hold(): void {
    if (this.#refused || statSync(this.#path, { throwIfNoEntry: false })?.size === size) return
    const { bavail, bsize } = statfsSync(dirname(this.#path))
    // Asked first, so that sign-ins on a full disk do not fill what is left again and again.
    if (bavail * bsize < 2 * size) throw new Error('the disk has no room to begin sessions')
    try {
      // Random, as some file systems keep zeros in no space at all.
      writeFileSync(this.#path, randomBytes(size), { mode: 0o600 })
    } catch (error) {
      this.release()
      if (diskFull.has((error as NodeJS.ErrnoException).code)) throw error
      this.#refused = true
    }
  }

  /** Gives the space back. */
  release(): void {
    try {
      rmSync(this.#path, { force: true })
    } catch {
      // Whoever could not remove it goes on without the space.
    }
  }
}
