/**
 * cron's own rules, written down apart from the product's: minute by minute, with the clock of a time zone. At a change
 * of the clocks jobs at fixed times run once, right after the gap or the first time, as cron(8) of Debian says; those of
 * every hour or minute follow the clock on the wall.
 */
export interface CronJob {
  readonly name: string
  readonly expression: string
}

interface Fields {
  readonly minute: (value: number) => boolean
  readonly hour: (value: number) => boolean
  readonly day: (value: number) => boolean
  readonly month: (value: number) => boolean
  readonly weekday: (value: number) => boolean
  readonly dayIsFree: boolean
  readonly weekdayIsFree: boolean
  /** cron's WHEN_HR_STAR or MIN_STAR: no fixed time. */
  readonly isWildcard: boolean
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

interface WallClock {
  readonly minute: number
  readonly hour: number
  readonly day: number
  readonly month: number
  readonly weekday: number
}

const MINUTE_MS = 60_000

/** All starts of a job from `from` to `to`, both whole minutes. */
export function cronStarts({ expression }: CronJob, tz: string, from: Date, to: Date): Date[] {
  const fields = readFields(expression)
  const clock = wallClock(tz)
  const starts: Date[] = []
  let before = clock(new Date(from.getTime() - MINUTE_MS))
  let recent: string[] = []
  for (let time = from.getTime(); time <= to.getTime(); time += MINUTE_MS) {
    const now = clock(new Date(time))
    const skipped = skippedMinutes(before, now)
    const label = `${now.day} ${now.hour}:${now.minute}`
    const isRepeated = recent.includes(label)
    recent = [...recent, label].slice(-180)
    const isDue = fields.isWildcard
      ? matches(fields, now)
      : (matches(fields, now) && !isRepeated) || skipped.some((each) => matches(fields, each))
    if (isDue) starts.push(new Date(time))
    before = now
  }
  return starts
}

/** The minutes of the wall clock that a change to summer time leaves out. */
function skippedMinutes(before: WallClock, now: WallClock): WallClock[] {
  const jump = (now.hour - before.hour) * 60 + now.minute - before.minute
  if (now.day !== before.day || jump <= 1) return []
  return Array.from({ length: jump - 1 }, (_, index) => {
    const minute = before.hour * 60 + before.minute + index + 1
    return { ...now, hour: Math.floor(minute / 60), minute: minute % 60 }
  })
}

function matches(fields: Fields, { minute, hour, day, month, weekday }: WallClock): boolean {
  const onDay = fields.day(day)
  const onWeekday = fields.weekday(weekday)
  const isToday = fields.dayIsFree || fields.weekdayIsFree ? onDay && onWeekday : onDay || onWeekday
  return fields.minute(minute) && fields.hour(hour) && fields.month(month) && isToday
}

function readFields(expression: string): Fields {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = expression.split(' ')
  return {
    minute: readField(minute, 0, 59),
    hour: readField(hour, 0, 23),
    day: readField(day, 1, 31),
    month: readField(month, 1, 12),
    weekday: readField(
      weekday.toLowerCase().replaceAll(/[a-z]{3}/g, (name) => String(DAYS.indexOf(name))),
      0,
      7,
    ),
    dayIsFree: day.startsWith('*'),
    weekdayIsFree: weekday.startsWith('*'),
    isWildcard: minute.startsWith('*') || hour.startsWith('*'),
  }
}

function readField(text: string, least: number, most: number): (value: number) => boolean {
  const allowed = new Set<number>()
  for (const part of text.split(',')) {
    const [range = '', step = '1'] = part.split('/')
    const [first, last] = range === '*' ? [least, most] : range.split('-').map(Number)
    for (let value = first ?? least; value <= (last ?? first ?? most); value += Number(step)) allowed.add(value)
  }
  if (most === 7 && allowed.has(7)) allowed.add(0)
  return (value) => allowed.has(value)
}

function wallClock(tz: string): (time: Date) => WallClock {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: tz,
    hourCycle: 'h23',
    weekday: 'short',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  })
  return (time) => {
    const parts = new Map(format.formatToParts(time).map(({ type, value }) => [type, value]))
    const number = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type))
    const weekday = DAYS.indexOf((parts.get('weekday') ?? '').toLowerCase())
    return { minute: number('minute'), hour: number('hour'), day: number('day'), month: number('month'), weekday }
  }
}
