// @ts-check
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The token of one application, in a file that nobody but its user can read. */
export class Credentials {
  #folder
  #file

  /** @param {string} origin */
  constructor(origin) {
    const { XDG_CONFIG_HOME: config = join(homedir(), '.config') } = process.env
    this.#folder = join(config, 'gosesh-example')
    this.#file = join(this.#folder, `${encodeURIComponent(origin)}.token`)
  }

  /** @returns {Promise<string | null>} */
  async load() {
    try {
      return (await readFile(this.#file, 'utf8')).trim()
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return null
      throw error
    }
  }

  /** @param {string} token */
  async save(token) {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    // A file that is there keeps its mode when it is written to; one that is made anew has this one from the start.
    const fresh = `${this.#file}.${process.pid}`
    await writeFile(fresh, `${token}\n`, { mode: 0o600, flag: 'wx' })
    await rename(fresh, this.#file)
  }

  async forget() {
    await rm(this.#file, { force: true })
  }
}
