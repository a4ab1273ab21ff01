import { Cron } from 'croner'
import { CronwrapError, messageOf } from '../errors.ts'
import { parseDuration } from '../platform/duration.ts'
import type { JobSchedule } from '../record/event.ts'

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
    const cron = new Cron(asCronerReadsIt(expression), { paused: true, ...(tz === null ? {} : { timezone: tz }) })
    // This also reads the time zone, which is not looked at before.
    if (cron.nextRun() === null && !hasYear(expression)) throw new Error('it is never due')
    return { kind: 'calendar', next: (after) => cron.nextRun(after) }
  } catch (error) {
    const reason = messageOf(error).replace(/^CronPattern: /, '')
    const where = tz === null ? '' : ` in ${tz}`
    throw new CronwrapError('BAD_VALUE', `the schedule "${expression}"${where} cannot be used: ${reason}`, {
      hint: 'write it as "0 9 * * *", @daily or "every 30m", the time zone as Europe/Berlin',
    })
  }
}

/** The next time a job is due, from now on; null when it is not, or cannot be known. */
export function nextDue(schedule: JobSchedule, lastStart: Date | null, now: Date): Date | null {
  const timetable = readTimetable(schedule)
  if (timetable.kind === 'calendar') return timetable.next(now)
  return lastStart === null ? null : new Date(lastStart.getTime() + timetable.everyMs)
}

function hasYear(expression: string): boolean {
  return expression.split(' ').length === 7
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
  const stepped = both.some((field) => /^\*\/[2-9]|^\*\/\d\d/.test(field)) && both.every((field) => field !== '*')
  if (stepped) fields[weekday] = `+${(fields[weekday] ?? '').replace(/^\+/, '')}`
  return fields.join(' ')
}
