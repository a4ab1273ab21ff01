import type { Home } from '../config/base-directory.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { toLocalIso } from '../platform/clock.ts'
import { newRunId } from '../platform/run-id.ts'
import { publish } from './publish.ts'
import { listRunning, readSummary } from './read-records.ts'
import { unknownJob } from './record-delivery.ts'

/**
 * Takes a job that is no more out of the summary, and with it its schedule and its alerts. Its log and
 * the facts in the journal stay; its next run begins anew.
 * @throws CronwrapError `UNKNOWN_JOB`, `CONFLICT` while it runs, or `CANNOT_RECORD`
 */
export async function forgetJob(home: Home, job: string, now: Date): Promise<void> {
  if (listRunning(home).some(({ manifest }) => manifest.job === job))
    throw new CronwrapError('CONFLICT', `${job} is running`, { hint: 'forget it once it has ended' })
  const summary = readSummary(home)
  if (!summary.has(job)) throw unknownJob(job, [...summary.keys()])
  try {
    await publish(home, { type: 'job.forgotten', id: newRunId(), time: toLocalIso(now, 'milliseconds'), job })
  } catch (error) {
    throw new CronwrapError('CANNOT_RECORD', `it could not be recorded: ${messageOf(error)}`, { cause: error })
  }
}
