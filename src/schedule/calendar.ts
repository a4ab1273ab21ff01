import { timesOf, type Times } from './found-schedule.ts'

/** What a field of the calendar may hold. */
interface Field {
  readonly least: number
  readonly most: number
}

const YEAR: Field = { least: 1970, most: 2199 }
const MONTH: Field = { least: 1, most: 12 }
const DAY: Field = { least: 1, most: 31 }
const HOUR: Field = { least: 0, most: 23 }
const MINUTE: Field = { least: 0, most: 59 }

const SHORTHANDS: ReadonlyMap<string, string> = new Map([
  ['minutely', '*-*-* *:*:00'],
  ['hourly', '*-*-* *:00:00'],
  ['daily', '*-*-* 00:00:00'],
  ['weekly', 'Mon *-*-* 00:00:00'],
  ['monthly', '*-*-01 00:00:00'],
  ['quarterly', '*-01,04,07,10-01 00:00:00'],
  ...['semiannually', 'semi-annually', 'biannually', 'bi-annually'].map((name): [string, string] => [
    name,
    '*-01,07-01 00:00:00',
  ]),
  ...['yearly', 'annually'].map((name): [string, string] => [name, '*-01-01 00:00:00']),
])

const WEEKDAYS = /^(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*(?:\.\.|[,-]|$))+$/i

/** Reads an `OnCalendar=` of systemd; `systemctl show` prints it as `Mon..Fri *-*-* 06,18:00:00 Europe/Berlin`. Pure. */
export function readCalendar(text: string): Times {
  const words = text.trim().split(/\s+/)
  const shorthand = SHORTHANDS.get((words[0] ?? '').toLowerCase())
  const rest = shorthand === undefined ? words : [...shorthand.split(' '), ...words.slice(1)]
  const take = (pattern: RegExp): string | null => (pattern.test(rest[0] ?? '') ? (rest.shift() ?? null) : null)
  const weekdays = take(WEEKDAYS)
  const date = take(/^[\d*][\d*.,/]*[-~]/)
  const time = take(/^[\d*][\d*.,/]*:/)
  const [tz = null, ...more] = rest
  if ((weekdays === null && date === null && time === null) || more.length > 0) return untold(text, 'is not understood')
  if (date?.includes('~')) return untold(text, 'counts from the end of the month')
  const fields = fieldsOf(date ?? '*-*-*', time ?? '00:00:00')
  if (fields === null) return untold(text, 'cannot be said as a cron expression')
  return timesOf(expressionOf(fields, weekdays), tz)
}

function untold(text: string, why: string): Times {
  return { kind: 'untold', reason: `"${text}" ${why}` }
}

/** Year, month, day, hour, minute and second. */
function fieldsOf(date: string, time: string): string[] | null {
  const dates = date.split('-')
  const times = time.split(':')
  const texts = [...(dates.length === 2 ? ['*'] : []), ...dates, ...times, ...(times.length === 2 ? ['00'] : [])]
  const limits = [YEAR, MONTH, DAY, HOUR, MINUTE, MINUTE]
  const fields = texts.map((each, at) => chain(each, limits[at] ?? MINUTE))
  return fields.length === limits.length && fields.every((field) => field !== null) ? fields : null
}

/** `06,18`, `08..18/2` and `00/15` as cron writes them; null for parts of a second, and what is no field. */
function chain(text: string, { least, most }: Field): string | null {
  const links = text.split(',').map((link) => {
    const [, first, last, step] = /^(\*|\d+)(?:\.\.(\d+))?(?:\/(\d+))?$/.exec(link) ?? []
    if (first === undefined) return null
    const stepped = step === undefined ? '' : `/${Number(step)}`
    if (first === '*' || (last === undefined && step !== undefined && Number(first) === least)) return `*${stepped}`
    if (last !== undefined) return `${Number(first)}-${Number(last)}${stepped}`
    return step === undefined ? String(Number(first)) : `${Number(first)}-${most}${stepped}`
  })
  return links.includes(null) ? null : links.join(',')
}

function expressionOf(fields: readonly string[], weekdays: string | null): string {
  const [year = '*', month = '*', day = '*', hour = '*', minute = '*', second = '0'] = fields
  // Both the day and its weekday have to be right, where cron is content with one of them.
  const both = weekdays !== null && day !== '*' ? '+' : ''
  const weekday = weekdays === null ? '*' : `${both}${weekdaysOf(weekdays)}`
  const five = [minute, hour, day, month, weekday]
  if (year !== '*') return [second, ...five, year].join(' ')
  return (second === '0' ? five : [second, ...five]).join(' ')
}

function weekdaysOf(text: string): string {
  return text
    .split(',')
    .filter((each) => each !== '')
    .map((each) =>
      each
        .split(/\.\.|-/)
        .map((name) => name.slice(0, 3))
        .join('-'),
    )
    .join(',')
}
