import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deriveAlerts } from '../../src/record/alerts.ts'
import type { Delivery, JobEvent, RunFinished } from '../../src/record/event.ts'
import { parseEvent, serializeEvent } from '../../src/record/event.ts'
import { fold, type PlacedEvent } from '../../src/record/fold.ts'
import { formatPosition, parsePosition } from '../../src/record/position.ts'
import { formatSummary, parseSummary, type Summary } from '../../src/record/summary.ts'

const EMPTY: Summary = new Map()
const iso = (second: number): string => new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString()

function run(job: string, number: number, changes: Partial<RunFinished> = {}): RunFinished {
  return {
    type: 'run.finished',
    id: `run-${number}`,
    run_id: `run-${number}`,
    time: iso(number * 10 + 1),
    started: iso(number * 10),
    job,
    duration_ms: 1000,
    status: 'success',
    reason: 'exit',
    exit_code: 0,
    signal: null,
    attempts: 1,
    command: ['true'],
    stdout_bytes: 0,
    stderr_bytes: 0,
    last_error: null,
    output_held: false,
    alert_after: 3,
    expects_delivery: null,
    delivery_grace_ms: 600_000,
    host: 'test',
    ...changes,
  }
}

const failure = (job: string, number: number): RunFinished =>
  run(job, number, { status: 'error', exit_code: 3, last_error: 'boom' })

function delivery(
  job: string,
  number: number,
  run_id: string | null,
  status: Delivery['status'] = 'sent',
  message_id = 'm1',
): Delivery {
  return {
    type: 'delivery',
    id: `delivery-${number}`,
    time: iso(number * 10 + 5),
    job,
    run_id,
    message_id,
    status,
    channel: null,
    error: null,
  }
}

function placed(events: readonly JobEvent[], segment = 's'): PlacedEvent[] {
  return events.map((event, index) => ({
    event,
    position: { sequence: 1, segment, offset: (index + 1) * 100, check: '00000000' },
  }))
}

const foldAll = (events: readonly JobEvent[]): Summary => fold(EMPTY, placed(events))

const anyEvent = fc
  .record({
    kind: fc.constantFrom('ok', 'fail', 'sent', 'failed', 'skip', 'ack'),
    job: fc.constantFrom('a', 'b', '__proto__'),
    number: fc.nat(30),
  })
  .map(({ kind, job, number }): JobEvent => {
    const id = `${kind}-${number}`
    if (kind === 'ok') return run(job, number)
    if (kind === 'fail') return failure(job, number)
    if (kind === 'skip') return { type: 'run.skipped', id, time: iso(number), job, running_run_id: 'x' }
    if (kind === 'ack')
      return {
        type: 'alert.acknowledged',
        id,
        time: iso(number),
        job,
        alerts: [{ kind: 'missed', since: iso(number) }],
      }
    return delivery(job, number, `run-${number}`, kind === 'sent' ? 'sent' : 'failed', `m${number % 5}`)
  })

describe('the fold', () => {
  test('does not depend on how the events are batched', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 40 }), fc.array(fc.nat(40)), (events, cuts) => {
        const all = placed(events)
        const edges = [0, ...cuts.filter((cut) => cut < all.length).sort((a, b) => a - b), all.length]
        let batched = EMPTY
        for (let index = 1; index < edges.length; index++)
          batched = fold(batched, all.slice(edges[index - 1], edges[index]))
        expect(formatSummary(batched)).toBe(formatSummary(fold(EMPTY, all)))
      }),
    )
  })

  test('changes nothing for events that it has seen, in any order', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 40 }), fc.nat(39), (events, from) => {
        const all = placed(events)
        const once = fold(EMPTY, all)
        expect(formatSummary(fold(once, all.slice(from % all.length).toReversed()))).toBe(formatSummary(once))
      }),
    )
  })

  test('counts a fact once that was appended twice', () => {
    const twice = foldAll([failure('a', 1), failure('a', 1), delivery('a', 1, 'run-1'), delivery('a', 1, 'run-1')])
    expect(twice.get('a')).toMatchObject({ total_runs: 1, total_errors: 1, deliveries_sent: 1 })
  })

  test('survives being written and read', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 30 }), (events) => {
        const summary = foldAll(events)
        expect(parseSummary(JSON.parse(formatSummary(summary)))).toEqual(summary)
      }),
    )
  })

  test('does not change the summary it is given', () => {
    const before = foldAll([failure('a', 1)])
    const text = formatSummary(before)
    fold(before, placed([failure('a', 2)], 'later'))
    expect(formatSummary(before)).toBe(text)
  })
})

describe('alerts', () => {
  const now = new Date(iso(10_000))
  const kinds = (events: readonly JobEvent[], at = now): string[] =>
    deriveAlerts(foldAll(events), at).map(({ kind }) => kind)

  test('31: only failures in a row count', () => {
    const [F, S] = [failure, (job: string, number: number) => run(job, number)]
    expect(kinds([F('a', 1), F('a', 2), S('a', 3), F('a', 4), F('a', 5)])).toEqual([])
    expect(kinds([F('a', 1), F('a', 2), F('a', 3)])).toEqual(['consecutive_failures'])
    const many = deriveAlerts(foldAll(Array.from({ length: 16 }, (_, index) => F('a', index))), now)
    expect(many).toMatchObject([{ message: '16 consecutive failures', consecutive_errors: 16, run_id: 'run-15' }])
    expect(many[0]?.since).toMatch(/^2026-01-01T00:00:00/)
    expect(kinds([F('a', 1), F('a', 2), F('a', 3), S('a', 4)])).toEqual([])
  })

  test('are a function of the summary', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
        const summary = foldAll(events)
        const again = parseSummary(JSON.parse(formatSummary(summary))) ?? EMPTY
        expect(deriveAlerts(again, now)).toEqual(deriveAlerts(summary, now))
      }),
    )
  })

  const owing = (number: number): RunFinished => run('a', number, { expects_delivery: true })

  test('a success that owes a message is undelivered after its grace, not before', () => {
    expect(kinds([owing(1)], new Date(iso(11 + 599)))).toEqual([])
    expect(kinds([owing(1)], new Date(iso(11 + 601)))).toEqual(['undelivered'])
    expect(kinds([owing(1), delivery('a', 1, 'run-1')])).toEqual([])
    expect(kinds([owing(1), delivery('a', 1, 'run-1', 'skipped')])).toEqual([])
  })

  test('a job that runs each minute cannot hide that nothing arrives', () => {
    const runs = Array.from({ length: 100 }, (_, index) => owing(index))
    expect(kinds(runs, new Date(iso(100 * 10 + 1)))).toEqual(['undelivered'])
  })

  test('a message for an older run leaves the newer one owing', () => {
    const events = [owing(1), owing(2), delivery('a', 2, 'run-1')]
    expect(kinds(events, new Date(iso(21 + 601)))).toEqual(['undelivered'])
    expect(kinds([...events, delivery('a', 3, 'run-2', 'sent', 'm2')])).toEqual([])
  })

  test('a message that was recorded before the run ended counts for it', () => {
    expect(kinds([delivery('a', 0, 'run-1'), owing(1)])).toEqual([])
  })

  test('one delivery makes a job expected to deliver, unless it says it does not', () => {
    expect(kinds([run('a', 1), delivery('a', 1, 'run-1'), run('a', 2)])).toEqual(['undelivered'])
    expect(kinds([run('a', 1), delivery('a', 1, 'run-1'), run('a', 2, { expects_delivery: false })])).toEqual([])
  })
})

describe('events and positions', () => {
  test('are read back as they are written', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        expect(parseEvent(serializeEvent(event).toString().trimEnd())).toEqual(event)
      }),
    )
    const position = { sequence: 12, segment: '01900000-abc', offset: 4096, check: '0badcafe' }
    expect(parsePosition(formatPosition(position))).toEqual(position)
  })

  test('half an event, or one with a field of another type, is none', () => {
    const line = serializeEvent(failure('a', 1)).toString().trimEnd()
    for (let length = 0; length < line.length; length++) expect(parseEvent(line.slice(0, length))).toBeNull()
    const event = JSON.parse(line) as Record<string, unknown>
    for (const key of [
      'id',
      'time',
      'job',
      'run_id',
      'started',
      'status',
      'reason',
      'exit_code',
      'attempts',
      'command',
      'alert_after',
    ]) {
      expect(parseEvent(JSON.stringify({ ...event, [key]: {} })), key).toBeNull()
    }
    expect(parseEvent(JSON.stringify({ ...event, job: '../x' }))).toBeNull()
  })

  test('a summary with anything of another type is none', () => {
    const summary = JSON.parse(formatSummary(foldAll([failure('a', 1), delivery('a', 1, 'run-1')]))) as Record<
      string,
      Record<string, unknown>
    >
    expect(parseSummary(summary)?.get('a')?.total_runs).toBe(1)
    for (const key of Object.keys(summary['a'] ?? {})) {
      expect(parseSummary({ a: { ...summary['a'], [key]: { odd: true } } }), key).toBeNull()
    }
    for (const value of [null, [], 'x', { a: null }, { a: [] }, { '../x': {} }]) expect(parseSummary(value)).toBeNull()
  })
})
