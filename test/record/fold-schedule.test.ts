import { expect, test } from 'vitest'
import { toLocalIso } from '../../src/platform/clock.ts'
import { newRunId } from '../../src/platform/run-id.ts'
import type { JobEvent, RunFinished, ScheduleSet } from '../../src/record/event.ts'
import { fold } from '../../src/record/fold.ts'
import type { SummaryEntry } from '../../src/record/summary-entry.ts'
import { runFinished } from '../support/events.ts'

const MINUTE_MS = 60_000
const START_MS = Date.parse('2026-11-24T00:00:00Z')

function entryAfter(...events: JobEvent[]): SummaryEntry | undefined {
  const position = (offset: number) => ({ sequence: 1, segment: 's', offset: offset + 1, check: '00000000' })
  return fold(
    new Map(),
    events.map((event, index) => ({ event, position: position(index) })),
  ).get('job')
}

function set(minute: number, expression: string | null, changes: Partial<ScheduleSet> = {}): ScheduleSet {
  const time = toLocalIso(new Date(START_MS + minute * MINUTE_MS), 'milliseconds')
  const schedule = expression === null ? null : { expression, tz: null, grace_ms: 0 }
  return { type: 'schedule.set', id: `set-${minute}`, time, job: 'job', schedule, source: 'config', ...changes }
}

/** A run from one minute to another that says when it is due. */
function run(from: number, to: number, expression: string, changes: Partial<RunFinished> = {}): RunFinished {
  const at = { startedMs: START_MS + from * MINUTE_MS, durationMs: (to - from) * MINUTE_MS }
  return { ...runFinished('job', from, at), schedule: { expression, tz: null, grace_ms: 0 }, ...changes }
}

test('what was said while a run went on outlives its end', () => {
  expect(entryAfter(set(0, '@daily'), set(5, '@hourly'), run(1, 9, '@daily'))?.schedule?.expression).toBe('@hourly')
  expect(entryAfter(run(-9, -8, '@daily'), set(5, null), run(1, 9, '@daily'))?.schedule?.expression).toBe('@daily')
  const removed = [set(0, '@daily'), run(1, 2, '@daily'), set(5, null)]
  expect(entryAfter(...removed, run(3, 9, '@daily'))?.schedule).toBeNull()
  expect(entryAfter(...removed, run(6, 9, '@daily'))?.schedule?.expression).toBe('@daily')
})

test('so it does where the first run of all went on', () => {
  const removed = entryAfter(set(0, '@daily'), set(5, null, { running: true }), run(1, 9, '@daily'))
  expect(removed).toMatchObject({ schedule: null, total_runs: 1 })
  expect(entryAfter(set(0, '@daily'), set(5, null))).toBeUndefined()
})

test('a run speaks as its settings are read, however long it waits before it starts', () => {
  const read = Date.now()
  const run_id = newRunId()
  const started = toLocalIso(new Date(read + 10 * MINUTE_MS), 'milliseconds')
  const time = toLocalIso(new Date(read + 11 * MINUTE_MS), 'milliseconds')
  const late = run(0, 1, '@daily', { id: run_id, run_id, started, time })
  const minute = (read - START_MS) / MINUTE_MS
  expect(entryAfter(set(minute + 5, '@hourly'), late)?.schedule?.expression).toBe('@hourly')
  expect(entryAfter(set(minute - 5, '@hourly'), late)?.schedule?.expression).toBe('@daily')
})

test('a clock that was ahead for a moment silences no run', () => {
  expect(entryAfter(set(600, '@hourly'), run(1, 9, '@daily'))?.schedule?.expression).toBe('@daily')
})
