import type { Home } from '../config/base-directory.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { toLocalIso } from '../platform/clock.ts'
import { newRunId } from '../platform/run-id.ts'
import type { JobSchedule, ScheduleSet } from '../record/event.ts'
import { publishAll } from '../record/publish.ts'
import { listRunning } from '../record/read-records.ts'

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
  origin: ScheduleOrigin,
  now: Date,
): Promise<void> {
  if (changes.length === 0) return
  try {
    await publishAll(home, scheduleEvents(home, changes, origin, now))
  } catch (error) {
    throw new CronwrapError('CANNOT_RECORD', `the schedule could not be recorded: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

export function scheduleEvents(
  home: Home,
  changes: readonly ScheduleChange[],
  { source, file }: ScheduleOrigin,
  now: Date,
): ScheduleSet[] {
  const time = toLocalIso(now, 'milliseconds')
  const ofFile = file === null ? {} : { file }
  const running = new Set(listRunning(home).map(({ manifest }) => manifest.job))
  return changes.map(({ job, schedule }) => ({
    type: 'schedule.set',
    id: newRunId(),
    time,
    job,
    schedule,
    source,
    ...ofFile,
    ...(running.has(job) ? { running: true } : {}),
  }))
}
