import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { check } from '../../src/check/check.ts'
import { toLocalIso } from '../../src/platform/clock.ts'
import { makeDirectory } from '../../src/platform/make-directory.ts'
import { appendEvent } from '../../src/record/journal.ts'
import { serializeEvent, type RunFinished } from '../../src/record/event.ts'
import { readLookMarks } from '../../src/check/look-marks.ts'
import { readSummary } from '../../src/record/read-records.ts'
import { runFinished } from '../support/events.ts'
import { createRig, type Rig } from '../support/rig.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const START_MS = Date.parse('2026-11-24T00:00:00Z')

function say(rig: Rig, atMs: number, expression: string, graceMs = 10 * MINUTE_MS): void {
  makeDirectory(rig.home.logs)
  appendEvent(rig.home, {
    type: 'schedule.set',
    id: `set-${atMs}-${graceMs}`,
    time: toLocalIso(new Date(atMs), 'milliseconds'),
    job: 'job',
    schedule: { expression, tz: 'UTC', grace_ms: graceMs },
    source: 'command',
  })
}

async function checkEach(rig: Rig, stepMs: number, fromMs: number, toMs: number): Promise<void> {
  for (let atMs = fromMs; atMs <= toMs; atMs += stepMs) await check(rig.home, new Date(atMs))
}

/** The hours, as `5` for 05:00, that were told as missed. */
function told(rig: Rig): number[] {
  return rig
    .events()
    .flatMap((event) =>
      event.type === 'run.missed' ? event.due.map((due) => (Date.parse(due) - START_MS) / HOUR_MS) : [],
    )
}

test('an interval that no run ever began is missed, however often somebody looks', async () => {
  await using rig = createRig()
  say(rig, START_MS, 'every 1h')
  await checkEach(rig, 7 * MINUTE_MS, START_MS, START_MS + 5.5 * HOUR_MS)
  expect(told(rig)).toEqual([1, 2, 3, 4, 5])
})

test('a grace that is made shorter decides what was open, and nothing anew', async () => {
  await using rig = createRig()
  say(rig, START_MS, '0 * * * *', HOUR_MS)
  appendEvent(rig.home, runFinished('job', 1, { startedMs: START_MS + 1.5 * HOUR_MS }))
  await check(rig.home, new Date(START_MS + 2.6 * HOUR_MS))
  say(rig, START_MS + 2.6 * HOUR_MS, '0 * * * *', 10 * MINUTE_MS)
  await check(rig.home, new Date(START_MS + 2.7 * HOUR_MS))
  expect(told(rig)).toEqual([2])
})

test('a clock that was ahead for a moment silences nothing', async () => {
  await using rig = createRig()
  say(rig, START_MS, '0 * * * *')
  await check(rig.home, new Date(START_MS + 96.5 * HOUR_MS))
  expect(readSummary(rig.home).get('job')?.missed_runs).toBe(96)
  await checkEach(rig, 30 * MINUTE_MS, START_MS + 2.5 * HOUR_MS, START_MS + 5.5 * HOUR_MS)
  // What was told once is not told again; from the first look at the right time on everything counts.
  expect(told(rig).slice(20)).toEqual([3, 4, 5])
  appendEvent(rig.home, runFinished('job', 1, { startedMs: START_MS + 6 * HOUR_MS }))
  await check(rig.home, new Date(START_MS + 6.5 * HOUR_MS))
  expect(readSummary(rig.home).get('job')).toMatchObject({ consecutive_missed: 0, missed_since: null })
})

test('runs that neither the journal nor the summary knows any more are not missed', async () => {
  await using rig = createRig()
  say(rig, START_MS, '0 * * * *')
  for (let hour = 1; hour <= 60; hour++)
    appendEvent(rig.home, runFinished('job', hour, { startedMs: START_MS + hour * HOUR_MS }))
  await check(rig.home, new Date(START_MS + 60.5 * HOUR_MS))
  expect(told(rig)).toEqual([])
  // What is left when old segments are pruned: the summary, as the checkpoint of the next one has it.
  const summary = readSummary(rig.home)
  for (const name of fs.readdirSync(rig.home.logs).filter((each) => each.includes('journal')))
    fs.removeSync(`${rig.home.logs}/${name}`)
  fs.removeSync(`${rig.home.logs}/.checked`)
  appendEvent(rig.home, runFinished('other', 1, { startedMs: START_MS + 60.5 * HOUR_MS }))
  await check(rig.home, new Date(START_MS + 62.5 * HOUR_MS))
  expect(readSummary(rig.home).get('job')?.total_runs).toBe(summary.get('job')?.total_runs)
  expect(told(rig)).toEqual([61, 62])
})

test('of many that were missed those since the last run are in a row, whatever ended meanwhile', async () => {
  await using rig = createRig()
  say(rig, START_MS, '* * * * *', 0)
  appendEvent(rig.home, runFinished('job', 1, { startedMs: START_MS + HOUR_MS }))
  await check(rig.home, new Date(START_MS + 85 * MINUTE_MS))
  const since = toLocalIso(new Date(START_MS + 61 * MINUTE_MS))
  const known = { missed_runs: 84, consecutive_missed: 25, missed_since: since }
  expect(readSummary(rig.home).get('job')).toMatchObject(known)
  // What was found before a run ended is found again, not counted.
  const stale = rig.events().find((event) => event.type === 'run.missed')
  if (stale?.type !== 'run.missed') throw new Error('nothing was missed')
  appendEvent(rig.home, runFinished('job', 2, { startedMs: START_MS + 86 * MINUTE_MS }))
  appendEvent(rig.home, { ...stale, id: 'stale', after: stale.until, until: stale.until.replace(':25:', ':59:') })
  expect(readSummary(rig.home).get('job')).toMatchObject({ ...known, consecutive_missed: 0, missed_since: null })
})

test('a run that was lost served the times until it was last seen', async () => {
  await using rig = createRig()
  say(rig, START_MS, '0 * * * *')
  const lost = { ...runFinished('job', 1, { startedMs: START_MS + HOUR_MS }), duration_ms: null, exit_code: null }
  const last_seen = toLocalIso(new Date(START_MS + 3.5 * HOUR_MS), 'milliseconds')
  appendEvent(rig.home, { ...lost, status: 'error', reason: 'lost', last_seen })
  await check(rig.home, new Date(START_MS + 5.5 * HOUR_MS))
  expect(told(rig)).toEqual([4, 5])
})

test('the mark moves with the time, so that the summary is enough again; it is not written for that alone', async () => {
  await using rig = createRig()
  say(rig, START_MS, '0 0 1 * *')
  const run = (minute: number): void =>
    void appendEvent(rig.home, runFinished('job', minute, { startedMs: START_MS + minute * MINUTE_MS }))
  const markAfter = async (minute: number): Promise<number | undefined> => {
    const now = new Date(START_MS + minute * MINUTE_MS)
    await check(rig.home, now)
    const markMs = readLookMarks(rig.home, now).get('job')
    return markMs === undefined ? undefined : (markMs - START_MS) / MINUTE_MS
  }
  for (let minute = 1; minute <= 60; minute++) run(minute)
  expect(await markAfter(60)).toBe(50)
  for (let minute = 61; minute <= 68; minute++) run(minute)
  expect(await markAfter(68)).toBe(50)
  for (let minute = 69; minute <= 100; minute++) run(minute)
  expect(await markAfter(100)).toBe(90)
  expect(told(rig)).toEqual([])
})

test('a job of each minute with a long grace is looked at from the end of the journal', async () => {
  await using rig = createRig()
  say(rig, START_MS, '* * * * *', 30 * MINUTE_MS)
  const runs = Array.from({ length: 200 }, (_, index) => index + 1).filter((minute) => minute !== 120)
  for (const minute of runs)
    appendEvent(rig.home, runFinished('job', minute, { startedMs: START_MS + minute * MINUTE_MS }))
  await check(rig.home, new Date(START_MS + 140 * MINUTE_MS))
  await checkEach(rig, MINUTE_MS, START_MS + 141 * MINUTE_MS, START_MS + 200 * MINUTE_MS)
  expect(told(rig)).toEqual([2])
})

test('what is missed before the first run that is read from the end of the journal is told', async () => {
  await using rig = createRig()
  makeDirectory(rig.home.logs)
  const runs = (job: string, hours: readonly number[]): RunFinished[] =>
    hours.map((hour) => runFinished(job, hour, { startedMs: START_MS + hour * HOUR_MS }))
  const append = (events: readonly RunFinished[]): void =>
    fs.appendFileSync(rig.home.journal, Buffer.concat(events.map(serializeEvent)))
  appendEvent(rig.home, runFinished('other', 0, { startedMs: START_MS - 200 * HOUR_MS }))
  append(runs('job', [-20, -19, -18]))
  append(
    runs(
      'other',
      Array.from({ length: 2000 }, (_, index) => -10 + index / 1000),
    ),
  )
  say(rig, START_MS, '0 * * * *')
  append(
    runs(
      'job',
      Array.from({ length: 25 }, (_, index) => 6 + index),
    ),
  )
  await check(rig.home, new Date(START_MS + 30.5 * HOUR_MS))
  expect(told(rig)).toEqual([1, 2, 3, 4, 5])
})

test('a run that the sweep records late was there', async () => {
  await using rig = createRig()
  say(rig, START_MS, '0 * * * *')
  await check(rig.home, new Date(START_MS + 0.5 * HOUR_MS))
  appendEvent(rig.home, runFinished('job', 1, { startedMs: START_MS + HOUR_MS, durationMs: 5 * HOUR_MS }))
  await check(rig.home, new Date(START_MS + 7.5 * HOUR_MS))
  expect(told(rig)).toEqual([7])
})

test.each(['{"jobs": {"job": {"schedule": "0 * * * *", ', '{"jobs": []}', '{"jobs": {"job": {"schedule": 5}}}'])(
  'what cannot be read of cronwrap.json changes nothing: %s',
  async (broken) => {
    await using rig = createRig()
    fs.outputJsonSync(rig.home.config, { jobs: { job: { schedule: '0 * * * *', tz: 'UTC' } } })
    await check(rig.home, new Date(START_MS))
    fs.writeFileSync(rig.home.config, broken)
    await check(rig.home, new Date(START_MS + 1.5 * HOUR_MS))
    expect(readSummary(rig.home).get('job')).toMatchObject({ schedule: { expression: '0 * * * *' }, missed_runs: 1 })
    fs.outputJsonSync(rig.home.config, { jobs: {} })
    await check(rig.home, new Date(START_MS + 2.5 * HOUR_MS))
    // It never ran: with its schedule nothing of it is left.
    expect(readSummary(rig.home).get('job')).toBeUndefined()
  },
)

test('a run goes on while the machine sleeps', async () => {
  await using rig = createRig()
  say(rig, START_MS, '0 * * * *')
  const asleep = runFinished('job', 1, { startedMs: START_MS + 0.5 * HOUR_MS, durationMs: MINUTE_MS })
  appendEvent(rig.home, { ...asleep, time: toLocalIso(new Date(START_MS + 3.5 * HOUR_MS), 'milliseconds') })
  await check(rig.home, new Date(START_MS + 4.5 * HOUR_MS))
  expect(told(rig)).toEqual([4])
})
