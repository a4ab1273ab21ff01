import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { createRig, kill, until, type Rig } from '../support/rig.ts'
import { seeded } from '../support/seeded.ts'
import { watchViews } from '../support/watch-views.ts'

test.each([
  ['of 200 jobs', (index: number) => `job-${index}`],
  ['of one job', () => 'same'],
])('29: 200 runs %s that end together all count, and a reader never sees half a view', async (_, jobOf) => {
  await using rig = createRig()
  const views = watchViews(rig)
  const script = 'while [ ! -e go ]; do sleep 0.2; done; exit 1'
  const runs = Array.from({ length: 200 }, (_unused, index) =>
    rig.run(['--job', jobOf(index), '--', 'sh', '-c', script]),
  )
  await until('all are running', () => rig.running().length === 200, 60_000)
  rig.write('go', '')
  const results = await Promise.all(runs)
  expect(results.filter(({ code, stderr }) => code !== 1 || stderr !== '')).toEqual([])
  expect(await views.stop()).toBeGreaterThan(10)
  const entries = Object.values(rig.summary())
  expect(entries.reduce((sum, entry) => sum + entry.total_runs, 0)).toBe(200)
  expect(entries.reduce((sum, entry) => sum + entry.consecutive_errors, 0)).toBe(200)
  expect(rig.runs()).toHaveLength(200)
  expect(rig.running()).toEqual([])
})

/** Moments of a run are drawn as parts of what a run takes here and now. */
async function measureRun(rig: Rig): Promise<number> {
  const started = performance.now()
  for (let round = 0; round < 3; round++)
    await Promise.all([0, 1, 2, 3].map(() => rig.run(['--job', 'usual', '--', 'true'])))
  return (performance.now() - started) / 3
}

test('15: a wrapper killed at any moment leaves each run that started on record once', async () => {
  await using rig = createRig()
  const random = seeded(20_261_124)
  const started = rig.path('started')
  fs.writeFileSync(started, '')
  const script = `echo $CRONWRAP_RUN_ID >> ${started}; echo some output; exit 3`
  const usualMs = await measureRun(rig)
  for (let round = 0; round < 60; round++) {
    await Promise.all(
      Array.from({ length: 4 }, async (_, index) => {
        const child = rig.start(['--job', `job-${index}`, '--', 'sh', '-c', script], { detached: true })
        await new Promise((resolve) => setTimeout(resolve, usualMs * (0.3 + random() * 1.2)))
        kill(child.pid ?? 0, 'SIGKILL')
        await child
      }),
    )
  }
  const survivor = await rig.run(['--job', 'survivor', '--', 'true'])
  expect(survivor).toMatchObject({ code: 0, stderr: '' })
  const oracle = fs.readFileSync(started, 'utf8').trim().split('\n').sort()
  const recorded = rig.runs().filter((run) => run.job.startsWith('job-'))
  expect(oracle.length).toBeGreaterThan(20)
  const counts = new Map<string, number>()
  for (const run of recorded) counts.set(run.run_id, (counts.get(run.run_id) ?? 0) + 1)
  expect(oracle.filter((id) => counts.get(id) !== 1)).toEqual([])
  const summary = rig.summary()
  const total = [0, 1, 2, 3].reduce((sum, index) => sum + (summary[`job-${index}`]?.total_runs ?? 0), 0)
  expect(total).toBe(new Set(recorded.map((run) => run.run_id)).size)
  const ends = [0, 1, 2, 3].flatMap((index) => rig.log(`job-${index}`).match(/^=== END \S+/gm) ?? [])
  expect(new Set(ends).size).toBe(ends.length)
  expect(oracle.filter((id) => !ends.includes(`=== END ${id}`))).toEqual([])
  expect(rig.running()).toEqual([])
})

test('39: what killed wrappers left behind is cleared', async () => {
  await using rig = createRig()
  const usualMs = await measureRun(rig)
  for (let round = 0; round < 16; round++) {
    const child = rig.start(['--job', 'killed', '--', 'sh', '-c', 'echo x'], { detached: true })
    await new Promise((resolve) => setTimeout(resolve, (usualMs / 4) * (0.5 + round / 10)))
    kill(child.pid ?? 0, 'SIGKILL')
    await child
  }
  fs.writeFileSync(`${rig.home.logs}/.cron-summary.json.1.${Date.now()}.0.tmp`, 'torn')
  const temporaries = (): string[] => fs.readdirSync(rig.home.logs).filter((name) => name.endsWith('.tmp'))
  // Fresh ones may be somebody's at work; a minute later they are nobody's.
  for (const name of temporaries()) {
    fs.renameSync(
      `${rig.home.logs}/${name}`,
      `${rig.home.logs}/${name.replace(/\d{13}/, (time) => String(Number(time) - 61_000))}`,
    )
  }
  expect(temporaries()).not.toEqual([])
  await rig.run(['repair'])
  expect(temporaries()).toEqual([])
  expect(rig.running()).toEqual([])
  expect(fs.readdirSync(rig.directory).filter((name) => name.startsWith('cronwrap-'))).toEqual([])
})
