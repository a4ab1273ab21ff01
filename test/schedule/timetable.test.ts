import { expect, test } from 'vitest'
import { nextDue } from '../../src/schedule/timetable.ts'

const at = (time: string): Date => new Date(`2026-11-24T${time}Z`)
const SINCE = { tz: null, grace_ms: 0, since: '2026-11-24T08:00:00Z' }

test.each([
  ['counts from when it was first known', null, null, '08:10:00', '08:30:00'],
  ['counts from the last start', '09:00:00', null, '09:10:00', '09:30:00'],
  ['is overdue when nothing was started since', '09:00:00', null, '09:40:00', '09:30:00'],
  ['counts from the start of a run in progress', '09:00:00', '09:28:00', '09:40:00', '09:58:00'],
  ['is not overdue while a run outlasts it', null, '09:00:00', '10:10:00', '10:30:00'],
  ['is due where one that is outlasted ends', null, '09:00:00', '10:00:00', '10:00:00'],
])('an interval %s', (_, ended, going, now, next) => {
  const starts = { ended: ended === null ? null : at(ended), going: going === null ? null : at(going) }
  expect(nextDue({ ...SINCE, expression: 'every 30m' }, starts, at(now))).toEqual(at(next))
})
