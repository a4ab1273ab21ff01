import { expect, test } from 'vitest'
import { check } from '../../src/check/check.ts'
import { toLocalIso } from '../../src/platform/clock.ts'
import { getAlerts } from '../../src/record/read-records.ts'
import { appendEvent } from '../../src/record/journal.ts'
import { findSlowRuns } from '../../src/check/find-slow-runs.ts'
import type { RunManifest, Spool } from '../../src/record/spool.ts'
import { beginRun } from '../support/begin-run.ts'
import { runFinished } from '../support/events.ts'
import { createRig, type Rig } from '../support/rig.ts'

const MINUTE_MS = 60_000
const START_MS = Date.parse('2026-11-24T00:00:00Z')

/** A run in progress that may take a minute. */
function begin(rig: Rig, afterMs: number): Spool {
  return beginRun(rig.home, 'job', START_MS + afterMs, MINUTE_MS)
}

/** What is told of slow runs after a pass each minute. */
async function checkMinutes(rig: Rig, from: number, to: number): Promise<object[]> {
  for (let minute = from; minute <= to; minute++) await check(rig.home, new Date(START_MS + minute * MINUTE_MS))
  return getAlerts({ home: rig.home.base, env: {} }).filter(({ kind }) => kind === 'slow')
}

function countOf(rig: Rig, type: string): number {
  return rig.events().filter((event) => event.type === type).length
}

test('before three runs are known, one of a job with a schedule is slow after a day', () => {
  const run = { job: 'job', run_id: 'r', started: new Date(START_MS).toISOString(), slow_after_ms: null }
  const manifest = { ...run, schedule: null } as unknown as RunManifest
  const daily = { expression: '0 9 * * *', tz: null, grace_ms: 0 }
  const after = (hours: number, each: RunManifest): number =>
    findSlowRuns(new Map(), [each], new Date(START_MS + hours * 60 * MINUTE_MS)).length
  expect([after(24, { ...manifest, schedule: daily }), after(25, { ...manifest, schedule: daily })]).toEqual([0, 1])
  expect(after(1000, manifest)).toBe(0)
})

test('of several slow runs each is found once and ends by itself; the alert is as old as the oldest', async () => {
  await using rig = createRig()
  const [older, younger] = [begin(rig, 0), begin(rig, 2000)]
  const both = await checkMinutes(rig, 2, 12)
  expect(countOf(rig, 'run.slow')).toBe(2)
  expect(both).toMatchObject([{ count: 2, since: toLocalIso(new Date(START_MS)), run_id: older.manifest.run_id }])
  expect(both[0]).toHaveProperty('message', expect.stringMatching(/^2 runs are slow, the oldest began .* than 1m$/))

  const { run_id } = older.manifest
  appendEvent(rig.home, { ...runFinished('job', 1, { startedMs: START_MS }), id: run_id, run_id })
  older.remove()
  expect(await checkMinutes(rig, 13, 14)).toMatchObject([{ count: 1, run_id: younger.manifest.run_id }])
  expect([countOf(rig, 'run.slow'), countOf(rig, 'run.vanished')]).toEqual([2, 0])
})

test('who knows of a slow run hears of no other until all have ended', async () => {
  await using rig = createRig()
  const [older] = [begin(rig, 0), begin(rig, 30_000)]
  const [alert] = (await checkMinutes(rig, 2, 2)) as { kind: string; since: string }[]
  const alerts = [{ kind: alert?.kind ?? '', since: alert?.since ?? '' }]
  const time = toLocalIso(new Date(START_MS + 2 * MINUTE_MS), 'milliseconds')
  appendEvent(rig.home, { type: 'alert.acknowledged', id: 'ack', time, job: 'job', alerts })
  const end = runFinished('job', 1, { startedMs: START_MS, durationMs: 3 * MINUTE_MS })
  appendEvent(rig.home, { ...end, run_id: older?.manifest.run_id ?? '', id: 'end' })
  expect(await checkMinutes(rig, 3, 3)).toMatchObject([{ count: 1, acknowledged: true }])
})

test('a slow run whose spool was removed is slow no more, and nothing else ends the one that goes on', async () => {
  await using rig = createRig()
  const [lost, going] = [begin(rig, 0), begin(rig, 2000)]
  await checkMinutes(rig, 2, 2)
  lost.remove()
  appendEvent(rig.home, runFinished('job', 1, { startedMs: START_MS + 2.5 * MINUTE_MS }))
  expect(await checkMinutes(rig, 3, 6)).toMatchObject([{ count: 1, run_id: going.manifest.run_id }])
  expect([countOf(rig, 'run.slow'), countOf(rig, 'run.vanished')]).toEqual([2, 1])
  going.remove()
  expect(await checkMinutes(rig, 7, 8)).toEqual([])
})
