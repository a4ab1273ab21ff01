import { expect, test } from 'vitest'
import { findMissed, type RunSpan } from '../../src/schedule/missed-runs.ts'
import { readTimetable } from '../../src/schedule/timetable.ts'

const MINUTE_MS = 60_000
const DAY = Date.UTC(2026, 10, 24)

/** `9:05` or `9:05:30`, and how many minutes the run lasted. */
function run(at: string, lasted = 0): RunSpan {
  const startedMs = time(at)
  return { startedMs, endedMs: startedMs + lasted * MINUTE_MS }
}

function time(text: string): number {
  const [hour = 0, minute = 0, second = 0] = text.split(':').map(Number)
  return DAY + ((hour * 60 + minute) * 60 + second) * 1000
}

function missed(
  expression: string,
  runs: readonly RunSpan[],
  at: { after?: string; now: string; grace?: number },
): string[] {
  const timetable = readTimetable({ expression, tz: 'UTC' })
  const graceMs = (at.grace ?? 10) * MINUTE_MS
  const expected = { timetable, graceMs, afterMs: time(at.after ?? '0:00'), mostAtOnce: 5000 }
  return findMissed(expected, runs, time(at.now)).due.map((due) => due.toISOString().slice(11, 16))
}

test.each([
  ['in time', '0 9 * * *', [run('9:00')], '12:00', []],
  ['a second early, by a clock that was corrected', '0 9 * * *', [run('8:59:58')], '12:00', []],
  ['at the end of the grace', '0 9 * * *', [run('9:10')], '12:00', []],
  ['after it', '0 9 * * *', [run('9:11')], '12:00', ['09:00']],
  ['while the grace is not over', '0 9 * * *', [], '9:09', []],
  ['once it is', '0 9 * * *', [], '9:10', ['09:00']],
  ['an earlier run does not count', '0 9 * * *', [run('8:30')], '12:00', ['09:00']],
  ['one that was still going does', '0 9 * * *', [run('8:30', 31)], '12:00', []],
  ['one that goes on does', '0 9 * * *', [run('8:30', Infinity)], '12:00', []],
  [
    'each minute: a gap of three is three, whatever came after',
    '*/1 9 * * *',
    [...minutes(0, 5), ...minutes(8, 30)],
    '9:35',
    ['09:05', '09:06', '09:07'],
  ],
  [
    'each minute: late by half a minute',
    '* 9 * * *',
    minutes(0, 20).map(({ startedMs }) => ({ startedMs: startedMs + 30_000, endedMs: startedMs + 30_000 })),
    '9:25',
    [],
  ],
  ['two times a day', '0 9 * * *; 30 10 * * *', [run('9:00')], '12:00', ['10:30']],
  ['an interval begins with the start', 'every 30m', [run('9:00'), run('9:30'), run('10:00:20')], '10:39', []],
  ['an interval that nothing follows', 'every 30m', [run('9:00')], '10:45', ['09:30', '10:00', '10:30']],
  ['a start in between begins it anew', 'every 30m', [run('9:00'), run('9:20')], '9:55', []],
  ['a long run is no gap', 'every 30m', [run('9:00', 95)], '10:41', []],
])('%s', (_, expression, runs, now, expected) => {
  const after = expression.startsWith('every') ? '9:00' : '0:00'
  expect(missed(expression, runs, { after, now })).toEqual(expected)
})

function minutes(from: number, to: number): RunSpan[] {
  return Array.from({ length: to - from }, (_, index) => run(`9:${from + index}`))
}

test.each([
  // Each day is a star to cron, and then both fields must fit.
  ['0 9 */1 * 1-5', '2026-11-27T12:00:00Z', ['2026-11-30T09:00:00.000Z', '2026-12-01T09:00:00.000Z']],
  ['0 9 1 * */1', '2026-11-27T12:00:00Z', ['2026-12-01T09:00:00.000Z', '2027-01-01T09:00:00.000Z']],
])('%s is due as cron has it', (expression, from, expected) => {
  expect(nextOf(expression, 'UTC', from, 2)).toEqual(expected)
})

test('several seconds of one minute are skipped and repeated by the clocks as one is', () => {
  const expression = '15,45 30 2 * * *'
  // Both right after the change.
  expect(nextOf(expression, 'Europe/Berlin', '2026-03-28T12:00:00Z', 2)).toEqual([
    '2026-03-29T01:00:00.000Z',
    '2026-03-30T00:30:15.000Z',
  ])
  expect(nextOf(expression, 'Europe/Berlin', '2026-10-24T12:00:00Z', 3)).toEqual([
    '2026-10-25T00:30:15.000Z',
    '2026-10-25T00:30:45.000Z',
    '2026-10-26T01:30:15.000Z',
  ])
})

function nextOf(expression: string, tz: string, from: string, count: number): string[] {
  const timetable = readTimetable({ expression, tz })
  const times: Date[] = [new Date(from)]
  while (times.length <= count && timetable.kind === 'calendar') times.push(timetable.next(times.at(-1)!)!)
  return times.slice(1).map((due) => due.toISOString())
}

test('a look takes so many times and says how far it came', () => {
  const timetable = readTimetable({ expression: '* * * * *', tz: null })
  const look = (afterMs: number): ReturnType<typeof findMissed> =>
    findMissed({ timetable, graceMs: 0, afterMs, mostAtOnce: 5000 }, [], DAY + 6000 * MINUTE_MS)
  const first = look(DAY)
  expect(first.due).toHaveLength(5000)
  expect(first.decidedUntilMs).toBe(DAY + 5000 * MINUTE_MS)
  const second = look(first.decidedUntilMs)
  expect(second.due).toHaveLength(1000)
  expect(second.decidedUntilMs).toBe(DAY + 6000 * MINUTE_MS)
})

test('what is decided follows the time where nothing is due, and the starts of an interval', () => {
  const look = (expression: string, graceMinutes: number, runs: readonly RunSpan[]): object => {
    const timetable = readTimetable({ expression, tz: 'UTC' })
    const expected = { timetable, graceMs: graceMinutes * MINUTE_MS, afterMs: time('8:00'), mostAtOnce: 100 }
    return findMissed(expected, runs, time('9:45'))
  }
  const at = (text: string): object => ({ due: [], decidedUntilMs: time(text), hasDecided: text !== '9:35' })
  expect(look('0 12 * * *', 10, [run('9:00'), run('9:40')])).toEqual(at('9:35'))
  expect(look('0 9 * * *', 10, [run('9:00'), run('9:40')])).toEqual({ ...at('9:35'), hasDecided: true })
  expect(look('every 1d', 10, [run('9:00'), run('9:40')])).toEqual(at('9:40'))
  expect(look('every 1d', 10, [run('9:00'), run('9:50')])).toEqual(at('9:00'))
})

test.each([
  ['0 9 * * *', 'Mars/Phobos', 'there is no such time zone'],
  ['0 25 * * *', 'UTC', 'Invalid value for hour: 25'],
  ['0 0 30 2 *', 'UTC', 'it is never due'],
])('%s in %s cannot be used', (expression, tz, why) => {
  expect(() => readTimetable({ expression, tz })).toThrow(why)
})

test('day and weekday as cron reads them: one is enough, unless one begins with a star', () => {
  const days = (expression: string): string[] => {
    const timetable = readTimetable({ expression, tz: 'UTC' })
    const found: string[] = []
    for (let at = new Date(DAY); found.length < 3;) {
      at = (timetable.kind === 'calendar' && timetable.next(at)) || at
      found.push(at.toISOString().slice(5, 10))
    }
    return found
  }
  expect(days('0 6 1 * 1')).toEqual(['11-30', '12-01', '12-07'])
  expect(days('0 6 */2 * 1')).toEqual(['12-07', '12-21', '01-11'])
})
