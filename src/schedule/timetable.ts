import { Cron } from 'croner'
import { SCHEDULE_SEPARATOR } from '../config/option-value.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { parseDuration } from '../platform/duration.ts'
import { isTimeZone } from '../platform/time-zone.ts'
import type { JobSchedule } from '../record/event.ts'
import type { KnownSchedule } from '../record/summary-entry.ts'

/** When a job is due. */
export type Timetable =
  /** At these times; the next one after a time, null when there is none any more. */
  | { readonly kind: 'calendar'; readonly next: (after: Date) => Date | null }
  /** So long after its last start. */
  | { readonly kind: 'interval'; readonly everyMs: number }

/**
 * Reads a schedule as cron does. Where the clocks change, a time that does not exist is due right
 * after the change, and one that comes twice the first time only; every-hour and every-minute
 * schedules follow the hours that pass.
 * @throws CronwrapError `BAD_VALUE`
 */
export function readTimetable({ expression, tz }: Pick<JobSchedule, 'expression' | 'tz'>): Timetable {
  if (expression.startsWith('every '))
    return { kind: 'interval', everyMs: parseDuration(expression.slice('every '.length)) }
  try {
    if (tz !== null && !isTimeZone(tz)) throw new Error('there is no such time zone')
    const options = { paused: true, ...(tz === null ? {} : { timezone: tz }) }
    const crons = expression
      .split(SCHEDULE_SEPARATOR)
      .flatMap((each) => oneForEachTime(asCronerReadsIt(each.trim())))
      .map((each) => new Cron(each, options))
    const next = earliestOf(crons)
    if (next(new Date()) === null && !hasYear(expression)) throw new Error('it is never due')
    return { kind: 'calendar', next }
  } catch (error) {
    const reason = messageOf(error).replace(/^CronPattern: /, '')
    const where = tz === null ? '' : ` in ${tz}`
    throw new CronwrapError('BAD_VALUE', `the schedule "${expression}"${where} cannot be used: ${reason}`, {
      hint: 'write it as "0 9 * * *", @daily or "every 30m", the time zone as Europe/Berlin',
    })
  }
}

/** Asked in the order of time, each is asked once for each of its own times. */
function earliestOf(crons: readonly Cron[]): (after: Date) => Date | null {
  let asked = new Date(NaN)
  let times: (Date | null)[] = []
  return (after) => {
    const isLater = after >= asked
    times = crons.map((cron, index) => {
      const known = times[index]
      return isLater && known !== undefined && (known === null || known > after) ? known : cron.nextRun(after)
    })
    asked = after
    return times.reduce((first, time) => (first === null || (time !== null && time < first) ? time : first), null)
  }
}

/** When the newest run of a job started. */
export interface Starts {
  /** Of those that ended; null for none. */
  readonly ended: Date | null
  /** Of those in progress; null for none. */
  readonly going: Date | null
}

/**
 * The next time a job is due; null when it is at no time any more. One in the past is overdue: an interval
 * passes from the last start, or from when the schedule was first known, and nothing was started since.
 * A run in progress serves the times that it outlasts, so its job is not overdue.
 * @throws CronwrapError `BAD_VALUE`
 */
export function nextDue(schedule: Omit<KnownSchedule, 'source'>, { ended, going }: Starts, now: Date): Date | null {
  const timetable = readTimetable(schedule)
  if (timetable.kind === 'calendar') return timetable.next(now)
  const { everyMs } = timetable
  const starts = [ended, going].map((start) => start?.getTime() ?? -Infinity)
  const dueMs = Math.max(Date.parse(schedule.since), ...starts) + everyMs
  const outlasted = going === null ? 0 : Math.ceil((now.getTime() - dueMs) / everyMs)
  return new Date(dueMs + Math.max(0, outlasted) * everyMs)
}

function hasYear(expression: string): boolean {
  return expression.split(SCHEDULE_SEPARATOR).some((each) => each.trim().split(' ').length === 7)
}

/**
 * Of day of month and day of week one is enough for cron, unless one of them begins with a star:
 * each second day and each Monday is then each Monday with an odd date. croner says that with a plus before the weekday.
 */
function asCronerReadsIt(expression: string): string {
  const fields = expression.split(' ')
  if (fields.length < 5) return expression
  const [day, weekday] = fields.length === 5 ? [2, 4] : [3, 5]
  const both = [fields[day] ?? '', fields[weekday] ?? '']
  const stepped = both.some((field) => /^\*\/\d/.test(field)) && both.every((field) => field !== '*')
  if (stepped) fields[weekday] = `+${(fields[weekday] ?? '').replace(/^\+/, '')}`
  return fields.join(' ')
}

/** Each minute of four hours, say; of more croner's own reading is taken. */
const MOST_TIMES_A_DAY = 240

/**
 * At a change of the clocks croner treats one fixed time a day as cron does, but not several: those of
 * `30 2,14 * * *` that are skipped are left out, and those that come twice are due twice.
 */
function oneForEachTime(expression: string): string[] {
  const fields = expression.split(' ')
  const at = fields.length - (fields.length === 7 ? 6 : 5)
  // Seconds first, where there are any.
  const columns = [at - 1, at, at + 1].filter((column) => column >= 0)
  const times = columns.reduce<readonly (readonly number[])[]>(
    (before, column) => before.flatMap((time) => valuesOf(fields[column] ?? '').map((value) => [...time, value])),
    [[]],
  )
  if (times.length < 2 || times.length > MOST_TIMES_A_DAY) return [expression]
  return times.map((time) => [...time, ...fields.slice(at + 2)].join(' '))
}

/** Of a field that is a list of numbers and ranges; nothing of any other. */
function valuesOf(field: string): number[] {
  const parts = field.split(',').map((part) => /^(\d+)(?:-(\d+)(?:\/(\d+))?)?$/.exec(part))
  const values = parts.flatMap((part) => {
    if (part === null) return []
    const [first, last, step] = [Number(part[1]), Number(part[2] ?? part[1]), Number(part[3] ?? 1)]
    const length = step > 0 && last >= first ? Math.floor((last - first) / step) + 1 : 0
    return Array.from({ length: Math.min(length, 60) }, (_, index) => first + index * step)
  })
  return parts.includes(null) ? [] : [...new Set(values)]
}
