import { execa } from 'execa'
import { expect, test } from 'vitest'
import { findProgram } from '../../src/platform/find-program.ts'
import { readCalendar } from '../../src/schedule/calendar.ts'
import { parseTimespan, readProperties, spreadOfTimer, timesOfTimer } from '../../src/schedule/timer-times.ts'
import { readTimetable } from '../../src/schedule/timetable.ts'

/** `systemctl show` prints the form on the left, whatever the timer's file says. */
const NORMALISED: readonly (readonly [calendar: string, expression: string, tz: string | null])[] = [
  ['*-*-* *:*:00', '* * * * *', null],
  ['*-*-* *:00:00', '0 * * * *', null],
  ['*-*-* 00:00:00', '0 0 * * *', null],
  ['Mon *-*-* 00:00:00', '0 0 * * Mon', null],
  ['*-01,04,07,10-01 00:00:00', '0 0 1 1,4,7,10 *', null],
  ['Mon..Fri *-*-* 06,18:00:00', '0 6,18 * * Mon-Fri', null],
  ['Fri..Sun *-*-* 06:00:00', '0 6 * * Fri-Sun', null],
  ['Mon,Wed,Sat,Sun *-*-* 06:00:00', '0 6 * * Mon,Wed,Sat,Sun', null],
  ['*-*-* *:00/15:00', '*/15 * * * *', null],
  ['*-*-* 08..18/2:05/20:00', '5-59/20 8-18/2 * * *', null],
  ['*-*-* *:*:00/10', '*/10 * * * * *', null],
  ['*-*-* *:*:*', '* * * * * *', null],
  ['*-*-01 00:00:00', '0 0 1 * *', null],
  ['Mon *-*-01..07 03:00:00', '0 3 1-7 * +Mon', null],
  ['Sat *-*-08..14/3 03:00:30', '30 0 3 8-14/3 * +Sat', null],
  ['2027-*-* 04:00:00', '0 0 4 * * * 2027', null],
  ['2027..2029-06-01 04:00:00', '0 0 4 1 6 * 2027-2029', null],
  ['*-*-* 09:00:00 Europe/Berlin', '0 9 * * *', 'Europe/Berlin'],
  ['Mon *-*-* 09:00:00 UTC', '0 9 * * Mon', 'UTC'],
]

test.each(NORMALISED)('OnCalendar=%s', (calendar, expression, tz) => {
  expect(readCalendar(calendar)).toEqual({ kind: 'times', expression, tz })
})

test.each([
  ['minutely', '* * * * *', null],
  ['weekly', '0 0 * * Mon', null],
  ['Quarterly', '0 0 1 1,4,7,10 *', null],
  ['semiannually', '0 0 1 1,7 *', null],
  ['daily Asia/Tokyo', '0 0 * * *', 'Asia/Tokyo'],
  ['Mon..Fri 9:30', '30 9 * * Mon-Fri', null],
  ['Sunday', '0 0 * * Sun', null],
  ['12-24 18:00', '0 18 24 12 *', null],
])('as a file may say it: %s', (calendar, expression, tz) => {
  expect(readCalendar(calendar)).toEqual({ kind: 'times', expression, tz })
})

test.each([
  ['*-*~03 00:00:00', '"*-*~03 00:00:00" counts from the end of the month'],
  ['*-*-* 00:00:00.500000', '"*-*-* 00:00:00.500000" cannot be said as a cron expression'],
  ['*-*-* 00:00:00 Mars/Olympus', 'in Mars/Olympus cannot be used'],
  ['@1790000000', '"@1790000000" is not understood'],
  ['now and then', '"now and then" is not understood'],
  ['', '"" is not understood'],
  ['*-*-* 25:00:00', 'is not a schedule: 25 is not from 0 to 23'],
  ['*-*-*-* 05:00:00', 'cannot be said as a cron expression'],
])('what cannot be told: %s', (calendar, reason) => {
  expect(readCalendar(calendar)).toEqual({ kind: 'untold', reason: expect.stringContaining(reason) as string })
})

const HAS_SYSTEMD = findProgram('systemd-analyze', process.env) !== null

test.skipIf(!HAS_SYSTEMD)("the times are those of systemd's own arithmetic", async () => {
  const base = new Date('2026-12-30T00:00:00Z')
  for (const [calendar] of NORMALISED) {
    const words = ['calendar', calendar, '--iterations=5', '--base-time=2026-12-30 00:00:00 UTC']
    const { stdout } = await execa('systemd-analyze', words, { env: { TZ: 'UTC' } })
    const inUtc = stdout.includes('(in UTC)') ? /\(in UTC\): \w+ (\S+ \S+) UTC/g : /(?:elapse|#\d): \w+ (\S+ \S+) UTC/g
    const times = readCalendar(calendar)
    const timetable = readTimetable(
      times.kind === 'times' ? { ...times, tz: times.tz ?? 'UTC' } : { expression: '', tz: null },
    )
    const ours: string[] = []
    for (let at: Date | null = base; at !== null && timetable.kind === 'calendar' && ours.length < 5;) {
      at = timetable.next(at)
      if (at !== null) ours.push(at.toISOString().slice(0, 19).replace('T', ' '))
    }
    expect(ours, calendar).toEqual([...stdout.matchAll(inUtc)].map(([, time]) => time))
  }
})

function timer(...lines: readonly string[]): string {
  const times = timesOfTimer(readProperties(lines.join('\n')))
  return times.kind === 'times' ? times.expression : `${times.kind}: ${times.reason}`
}

const elapse = (name: string, setting: string): string => `Timers${name}={ ${setting} ; next_elapse=n/a }`

test('a timer has times, or an interval', () => {
  const daily = elapse('Calendar', 'OnCalendar=*-*-* 09:00:00')
  const boot = elapse('Monotonic', 'OnBootUSec=15min')
  const active = elapse('Monotonic', 'OnUnitActiveUSec=1h 30min')
  expect(timer(daily, 'ActiveState=active')).toBe('0 9 * * *')
  expect(timer(daily, boot)).toBe('0 9 * * *')
  expect(timer(boot, active)).toBe('every 1h30m')
  expect(timer(boot)).toBe('none: it runs once after the start of something else')
  expect(timer(daily, active)).toBe('untold: the timer has times and an interval')
  expect(timer(daily, elapse('Calendar', 'OnCalendar=Fri *-*-* 17:30:00'))).toBe('0 9 * * *; 30 17 * * Fri')
  const elsewhere = elapse('Calendar', 'OnCalendar=*-*-* 09:00:00 UTC')
  expect(timer(daily, elsewhere)).toBe('untold: the timer has times in several time zones')
  expect(timer(elapse('Monotonic', 'OnUnitInactiveUSec=30min'))).toBe('untold: it is due so long after its last end')
  expect(timer(daily, 'ActiveState=inactive')).toBe('none: the timer is stopped')
  expect(timer(daily, 'ActiveState=failed')).toBe('0 9 * * *')
  expect(timer('TimersCalendar=', 'TimersMonotonic=')).toBe('none: it runs once after the start of something else')
})

test('what systemd may add to a time', () => {
  expect(parseTimespan('1h 30min')).toBe(5_400_000)
  expect(parseTimespan('1month 1w 2d')).toBe(2_629_800_000 + 9 * 86_400_000)
  expect(parseTimespan('1min 2.5s')).toBe(62_500)
  expect(parseTimespan('500ms')).toBe(500)
  for (const none of ['0', '', 'infinity', '3 moons']) expect(parseTimespan(none), none).toBeNull()
  expect(spreadOfTimer(readProperties('RandomizedDelayUSec=1h\nAccuracyUSec=1min'))).toBe(3_660_000)
  expect(spreadOfTimer(readProperties('RandomizedDelayUSec=0\nAccuracyUSec=1us'))).toBe(0)
})
