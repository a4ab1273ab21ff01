import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JobEvent } from '../../src/record/event.ts'
import { parseEvent, serializeEvent } from '../../src/record/event.ts'
import { fold } from '../../src/record/fold.ts'
import { EMPTY_ENTRY, type SummaryEntry } from '../../src/record/summary-entry.ts'
import { formatSummary, parseSummary, type Summary } from '../../src/record/summary.ts'
import { runFinished } from '../support/events.ts'

const START_MS = Date.parse('2026-11-24T09:00:00Z')
const at = (minute: number): string => new Date(START_MS + minute * 60_000).toISOString()

function foldAll(events: readonly JobEvent[], from: Summary = new Map(), first = 1): Summary {
  const placed = events.map((event, index) => ({
    event: parseEvent(serializeEvent(event).toString()) as JobEvent,
    position: { sequence: 1, segment: 'one', offset: first + index, check: '' },
  }))
  return fold(from, placed)
}

/** Notifications presume a job. */
const KNOWN: JobEvent = { type: 'run.skipped', id: 'k', time: at(0), job: 'job', running_run_id: 'r' }

function entryAfter(...events: readonly JobEvent[]): SummaryEntry {
  return foldAll([KNOWN, ...events]).get('job') ?? EMPTY_ENTRY
}

const alert = { kind: 'missed', since: at(0), message: 'm', last_error: null, run_id: null, count: 1 }

function decided(id: string, after: string | null, targets = ['ops']): JobEvent {
  const common = { type: 'notification', job: 'job', time: at(1), step: 'opened', level: 1, expires: at(600) } as const
  return { ...common, id, after, alert, targets }
}

function attempt(id: string, minute: number, number = 1): JobEvent {
  const common = { type: 'notification.attempt', job: 'job', notification_id: 'n1', target: 'ops' } as const
  return { ...common, id, time: at(minute), attempt: number, retry_at: at(minute + 1) }
}

function outcome(number: number, result: 'sent' | 'failed', minute = 2): JobEvent {
  const common = { type: 'notification.outcome', job: 'job', notification_id: 'n1', target: 'ops' } as const
  const retry = result === 'failed' ? at(minute + 5) : null
  return {
    ...common,
    id: `o${number}`,
    time: at(minute),
    attempt: number,
    outcome: result,
    error: null,
    retry_at: retry,
  }
}

function claimOf(entry: SummaryEntry): unknown {
  return entry.notifications[0]?.targets[0]?.claim
}

test('of two that decide the same the first counts', () => {
  const { told, notifications } = entryAfter(decided('n1', null), decided('n2', null), decided('n3', 'n1'))
  expect(told.map(({ id }) => id)).toEqual(['n3'])
  expect(notifications.map(({ id }) => id)).toEqual(['n1', 'n3'])
})

test('of two that claim an attempt the first holds it, until its time is over', () => {
  const events = [decided('n1', null), attempt('a', 1), attempt('b', 1)]
  expect(claimOf(entryAfter(...events))).toBe('a')
  expect(claimOf(entryAfter(...events, attempt('c', 1.5, 2)))).toBe('a')
  expect(claimOf(entryAfter(...events, attempt('c', 2, 2)))).toBe('c')
  // What the first one says then comes too late.
  const late = entryAfter(...events, attempt('c', 2, 2), outcome(1, 'sent'))
  expect(claimOf(late)).toBe('c')
  expect(entryAfter(...events, attempt('c', 2, 2), outcome(2, 'sent')).notifications).toEqual([])
})

test('after a failure nobody may try before its time, unless that time is nonsense', () => {
  const events = [decided('n1', null), attempt('a', 1), outcome(1, 'failed', 2)]
  expect(claimOf(entryAfter(...events, attempt('b', 6, 2)))).toBeNull()
  expect(claimOf(entryAfter(...events, attempt('b', 7, 2)))).toBe('b')
  expect(claimOf(entryAfter(...events, attempt('b', -600, 2)))).toBe('b')
})

test('a run that has ended is not slow, and one before the last missed time ends no miss', () => {
  const slow: JobEvent = {
    type: 'run.slow',
    id: 's',
    time: at(9),
    job: 'job',
    run_id: 'job-1',
    started: at(0),
    limit_ms: 1,
  }
  expect(entryAfter(slow).slow_runs).toMatchObject([{ run_id: 'job-1' }])
  expect(entryAfter(slow, runFinished('job', 1, { startedMs: START_MS })).slow_runs).toEqual([])
  expect(entryAfter(runFinished('job', 1, { startedMs: START_MS }), slow).slow_runs).toEqual([])
  const missed: JobEvent = {
    type: 'run.missed',
    id: 'm',
    time: at(9),
    job: 'job',
    after: null,
    last_run: null,
    until: at(5),
    count: 1,
    due: [at(5)],
    in_a_row: 1,
    in_a_row_since: at(5),
  }
  const before = runFinished('job', 1, { startedMs: START_MS + 4 * 60_000, durationMs: 360_000 })
  expect(entryAfter(missed, before)).toMatchObject({ missed_runs: 1, consecutive_missed: 1, missed_since: at(5) })
  expect(entryAfter(missed, runFinished('job', 2, { startedMs: START_MS + 6 * 60_000 }))).toMatchObject({
    consecutive_missed: 0,
  })
  // Told twice, by two that looked at once.
  expect(entryAfter(missed, { ...missed, id: 'again' })).toMatchObject({ missed_runs: 1 })
})

test('a job that was forgotten does not come back with what is still said of it', () => {
  const run = runFinished('job', 1, { startedMs: START_MS })
  const forgotten: JobEvent = { type: 'job.forgotten', id: 'f', time: at(3), job: 'job' }
  const after = [attempt('a', 1), outcome(1, 'sent'), decided('n2', null)]
  expect(foldAll([run, decided('n1', null), forgotten, ...after]).size).toBe(0)
  expect(foldAll([run, forgotten, runFinished('job', 2, { startedMs: START_MS })]).get('job')?.total_runs).toBe(1)
})

test('folding in any pieces, through the file and back, is folding at once', () => {
  const some: fc.Arbitrary<JobEvent> = fc.oneof(
    fc.constantFrom(decided('n1', null), decided('n2', 'n1'), decided('n3', null, ['ops', 'chat'])),
    fc
      .tuple(fc.nat(20), fc.integer({ min: 1, max: 3 }))
      .map(([minute, number]) => attempt(`a${minute}`, minute, number)),
    fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom('sent', 'failed'))
      .map(([number, how]) => outcome(number, how as 'sent')),
    fc
      .nat(9)
      .map((number) => runFinished('job', number, { startedMs: START_MS + number * 60_000, failed: number % 2 === 0 })),
    fc.constantFrom<JobEvent>(
      { type: 'notification.cleared', id: 'c', time: at(3), job: 'job', target: 'ops' },
      { type: 'job.forgotten', id: 'f', time: at(3), job: 'job' },
      {
        type: 'schedule.set',
        id: 's',
        time: at(2),
        job: 'job',
        schedule: { expression: '@daily', tz: null, grace_ms: 0 },
        source: 'config',
      },
    ),
  )
  fc.assert(
    fc.property(fc.array(some, { maxLength: 30 }), fc.nat(30), (events, cut) => {
      const first = foldAll(events.slice(0, cut))
      const through = parseSummary(JSON.parse(formatSummary(first)))
      expect(through).not.toBeNull()
      const pieces = foldAll(events.slice(cut), through ?? new Map(), cut + 1)
      expect(formatSummary(pieces)).toBe(formatSummary(foldAll(events)))
    }),
  )
})
