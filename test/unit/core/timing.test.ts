import t from 'tap'
import { repeat, within } from '../../../lib/core/timing.js'
import { fakeTime, settle } from '../../tools/clock.js'

t.test('within settles as the promise does, and leaves no timer', async (t) => {
  fakeTime(t)
  const late = () => new Error('late')
  t.equal(await within(Promise.resolve(1), 10, late), 1)
  await t.rejects(within(Promise.reject(new Error('own')), 10, late), { message: 'own' })
})

t.test('within rejects once the time is up, and what arrives later is ignored', async (t) => {
  const time = fakeTime(t)
  let answer = (_value: number): void => {}
  const slow = new Promise<number>((resolve) => {
    answer = resolve
  })
  const outcome = within(slow, 10, () => new Error('late'))
  outcome.catch(() => {})
  await time.advance(10)
  answer(1)
  await t.rejects(outcome, { message: 'late' })
})

t.test(
  'repeat runs the task at most one interval after its last run ended, a tenth sooner at most',
  async (t) => {
    const time = fakeTime(t)
    const runs: number[] = []
    const start = time.now()
    const repetition = repeat(10_000, async () => void runs.push(time.now() - start))
    await time.advance(100_000, 100)
    repetition.stop()
    const gaps = runs.map((at, index) => at - (runs[index - 1] ?? 0))
    t.ok(gaps.length >= 9)
    t.ok(
      gaps.every((gap) => gap >= 9_000 && gap <= 10_100),
      String(gaps),
    )
    t.ok(new Set(gaps).size > 1, 'at random')
  },
)

t.test('repeat goes on after a task that rejects', async (t) => {
  const time = fakeTime(t)
  let runs = 0
  const repetition = repeat(1_000, () => {
    runs++
    return Promise.reject(new Error('bug'))
  })
  await time.advance(5_000)
  repetition.stop()
  t.ok(runs >= 4)
})

t.test('a repetition that is stopped while its task runs does not go on', async (t) => {
  const time = fakeTime(t)
  let runs = 0
  let finish = (): void => {}
  const repetition = repeat(1_000, () => {
    runs++
    return new Promise((resolve) => {
      finish = resolve
    })
  })
  await time.advance(1_000)
  repetition.stop()
  finish()
  await settle()
  await time.advance(10_000)
  t.equal(runs, 1)
})
