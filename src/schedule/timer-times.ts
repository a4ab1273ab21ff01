import { formatExactDuration } from '../platform/duration.ts'
import { readCalendar } from './calendar.ts'
import { mergeTimes, timesOf, type Times } from './found-schedule.ts'

/** A unit's properties, as `systemctl show` prints them; one that is a list comes once for each of its values. */
export type Properties = ReadonlyMap<string, readonly string[]>

const SPREADS = ['RandomizedDelayUSec', 'RandomizedOffsetUSec', 'AccuracyUSec']

/** What is looked at of a timer. */
export const TIMER_PROPERTIES: readonly string[] = ['ActiveState', 'TimersCalendar', 'TimersMonotonic', ...SPREADS]

export function readProperties(text: string): Properties {
  const properties = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^(\w+)=(.*)$/.exec(line) ?? []
    if (name !== undefined && value !== '') properties.set(name, [...(properties.get(name) ?? []), value])
  }
  return properties
}

/** When a timer of these properties starts its service. Pure. */
export function timesOfTimer(properties: Properties): Times {
  const settings = (name: string): string[][] =>
    (properties.get(name) ?? []).flatMap((text) => {
      const [, setting, value] = /^\{ (\w+)=(.*?) ; next_elapse=/.exec(text) ?? []
      return setting === undefined || value === undefined ? [] : [[setting, value]]
    })
  const calendars = settings('TimersCalendar').map(([, text = '']) => text)
  const monotonic = settings('TimersMonotonic')
  const intervals = monotonic.filter(([name = '']) => name.startsWith('OnUnitActive')).map(([, text = '']) => text)
  if (properties.get('ActiveState')?.[0] === 'inactive') return { kind: 'none', reason: 'the timer is stopped' }
  if (monotonic.some(([name = '']) => name.startsWith('OnUnitInactive')))
    return { kind: 'untold', reason: 'it is due so long after its last end' }
  if (intervals.length > 0 && calendars.length + intervals.length > 1)
    return { kind: 'untold', reason: 'the timer has times and an interval' }
  if (calendars.length > 0) return timesOfCalendars(calendars)
  const everyMs = parseTimespan(intervals[0] ?? '')
  if (intervals[0] === undefined || everyMs === null)
    return { kind: 'none', reason: 'it runs once after the start of something else' }
  return timesOf(`every ${formatExactDuration(everyMs)}`, null)
}

function timesOfCalendars(calendars: readonly string[]): Times {
  const all = calendars.map(readCalendar)
  const untold = all.find(({ kind }) => kind === 'untold')
  return untold ?? mergeTimes(all) ?? { kind: 'untold', reason: 'the timer has times in several time zones' }
}

/** How much later than due it may start its service, in milliseconds. */
export function spreadOfTimer(properties: Properties): number {
  return SPREADS.reduce((sum, name) => sum + (parseTimespan(properties.get(name)?.[0] ?? '') ?? 0), 0)
}

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ['us', 0.001],
  ['ms', 1],
  ['s', 1_000],
  ['min', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
  ['w', 604_800_000],
  ['month', 2_629_800_000],
  ['y', 31_557_600_000],
])

/** A time as systemd prints it, `1h 30min`, in whole milliseconds; null for none, or one without end. */
export function parseTimespan(text: string): number | null {
  const parts = text.split(' ').map((part) => {
    const [, number, unit = ''] = /^([\d.]+)([a-z]+)$/.exec(part) ?? []
    return Number(number) * (UNITS_MS.get(unit) ?? NaN)
  })
  const sum = Math.round(parts.reduce((total, part) => total + part, 0))
  return sum > 0 ? sum : null
}
