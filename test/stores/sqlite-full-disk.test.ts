import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, rmdirSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import LibsqlDatabase from 'libsql'
import t, { type Test } from 'tap'
import { SqliteStore } from '../../lib/stores/sqlite/index.js'
import { later, minute, newSession } from '../../lib/testing/fixtures.js'
import type { SessionRecord } from '../../types/store.js'

const howTo = 'These tests mount a small tmpfs, which takes Linux and root: run them in a container.'
const unavailable = { code: 'GOSESH_ERR_STORE_UNAVAILABLE', statusCode: 503 }

/** A file system of its own, which is gone after the test. */
function mount(t: Test, options: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gosesh-full-'))
  t.teardown(() => rmdirSync(folder))
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'pipe' })
  t.teardown(() => execFileSync('umount', ['-l', folder]))
  return folder
}

/** Whether there can be such a file system. If not, says so loudly; with CI=true it throws. */
async function canMount(): Promise<boolean> {
  let can = true
  await t.test('a small file system', async (t) => {
    try {
      mount(t, 'size=1m')
    } catch (cause) {
      if (process.env.CI === 'true') throw new Error(howTo, { cause })
      process.stderr.write(`\n*** SKIPPED. ${howTo}\n\n`)
      t.plan(0, howTo)
      can = false
    }
  })
  return can
}

async function openStore(t: Test, folder: string): Promise<SqliteStore> {
  const database = new LibsqlDatabase(join(folder, 'sessions.db'))
  t.teardown(() => database.close())
  const store = new SqliteStore(database)
  await store.migrate()
  return store
}

/** As another program does: takes all the space that is left. */
function fill(folder: string): void {
  const file = openSync(join(folder, 'others'), 'a')
  const block = Buffer.alloc(4_096)
  try {
    for (;;) writeSync(file, block)
  } catch {
    closeSync(file)
  }
}

function bigSession(number: number): SessionRecord {
  return newSession({ userId: `user-${number % 100}`, metadata: { note: 'x'.repeat(2_000) } })
}

/** Signs in `count` times, or until that fails. */
async function signInMany(store: SqliteStore, count: number): Promise<SessionRecord[]> {
  const sessions: SessionRecord[] = []
  try {
    while (sessions.length < count) {
      const session = bigSession(sessions.length)
      await store.createSession(session)
      sessions.push(session)
    }
  } catch {
    // The disk is full.
  }
  return sessions
}

/** Requests, sign-outs and flushes go on, sign-ins do not. */
async function judgeFullDisk(
  t: Test,
  store: SqliteStore,
  folder: string,
  given: SessionRecord[],
): Promise<void> {
  const [first, second, third, ...rest] = given as [
    SessionRecord,
    SessionRecord,
    SessionRecord,
    ...SessionRecord[],
  ]
  t.equal(await store.deleteSession(first.id), true, 'a session is ended')
  t.equal(await store.getSession(first.id), null)
  t.not(await store.getSession(second.id), null, 'others are read')
  fill(folder)
  const at = later(second.lastActivityAt, minute)
  const updates = new Map(rest.map(({ id }) => [id, at]))
  t.equal(await store.batchRecordActivity(updates), rest.length, 'though others took what was given up')
  t.equal(await store.extendSession(third.id, { lastActivityAt: at, idleDeadline: at }), true)
  t.ok((await store.deleteUserSessions('user-7')) > 0)
  for (const { id } of rest) await store.deleteSession(id)
  await t.rejects(store.createSession(newSession()), unavailable, 'nobody signs in')
  await t.rejects(store.upsertUser('ada'), unavailable)
  t.equal(await store.deleteAllSessions(), 2)
  execFileSync('mount', ['-o', 'remount,size=16m', folder])
  await t.resolves(store.createSession(newSession()), 'they sign in once there is room')
  t.ok(existsSync(join(folder, 'sessions.db-reserve')), 'and the reserve is back')
}

if (await canMount()) {
  for (const count of [20, 400]) {
    t.test(`a disk that others fill, with ${count} sessions`, async (t) => {
      const folder = mount(t, 'size=8m')
      const store = await openStore(t, folder)
      const sessions = await signInMany(store, count)
      fill(folder)
      const last = await signInMany(store, 10_000)
      await judgeFullDisk(t, store, folder, [...sessions, ...last])
    })
  }

  t.test('a disk that sessions fill', async (t) => {
    const folder = mount(t, 'size=8m')
    const store = await openStore(t, folder)
    const sessions = await signInMany(store, 10_000)
    t.ok(sessions.length > 1_000 && sessions.length < 5_000, `${sessions.length} sessions`)
    await judgeFullDisk(t, store, folder, sessions)
  })

  t.test('a disk without room for the reserve takes no sessions, and leaves none of it', async (t) => {
    // Room enough, but not for one more file beside the database, its log and its shared memory.
    const folder = mount(t, 'size=8m,nr_inodes=4')
    const store = await openStore(t, folder)
    await t.rejects(store.createSession(newSession()), { ...unavailable, cause: { code: 'ENOSPC' } })
    t.equal(await store.deleteAllSessions(), 0)
  })
}
