import type { Home } from '../config/base-directory.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { toLocalIso } from '../platform/clock.ts'
import { makeDirectory } from '../platform/make-directory.ts'
import { newRunId } from '../platform/run-id.ts'
import type { JobSchedule, ScheduleSet } from '../record/event.ts'
import { appendEvent } from '../record/journal.ts'
import { foldIntoViews } from '../record/publish.ts'

export interface ScheduleChange {
  readonly job: string
  /** Null: nobody knows any more when it is due. */
  readonly schedule: JobSchedule | null
}

export interface ScheduleOrigin {
  readonly source: ScheduleSet['source']
  /** The one file it was imported from; null for anything else. */
  readonly file: string | null
}

/**
 * Records when jobs are due from now on, and folds once for all of them.
 * @throws CronwrapError `CANNOT_RECORD`
 */
export async function recordSchedules(
  home: Home,
  changes: readonly ScheduleChange[],
  { source, file }: ScheduleOrigin,
  now: Date,
): Promise<void> {
  if (changes.length === 0) return
  try {
    makeDirectory(home.logs)
    const time = toLocalIso(now, 'milliseconds')
    const places = changes.map(({ job, schedule }) =>
      appendEvent(home, {
        type: 'schedule.set',
        id: newRunId(),
        time,
        job,
        schedule,
        source,
        ...(file === null ? {} : { file }),
      }),
    )
    const upTo = places.at(-1)
    await foldIntoViews(home, upTo === undefined ? {} : { upTo })
  } catch (error) {
    throw new CronwrapError('CANNOT_RECORD', `the schedule could not be recorded: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
