import type { Home } from '../config/base-directory.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { toLocalIso } from '../platform/clock.ts'
import { newRunId } from '../platform/run-id.ts'
import { deriveAlerts, type AlertKind } from './alerts.ts'
import { publish } from './publish.ts'
import { readSummary } from './read-records.ts'

/**
 * Marks a job's present alerts as known. They stay until what is wrong is over.
 * @returns the kinds that were acknowledged; none when the job has no alert that nobody knows
 * @throws CronwrapError `CANNOT_RECORD`
 */
export async function acknowledgeAlerts(home: Home, job: string, now: Date): Promise<readonly AlertKind[]> {
  const alerts = deriveAlerts(readSummary(home), now)
    .filter((alert) => alert.job_id === job && !alert.acknowledged)
    .map(({ kind, since }) => ({ kind, since }))
  if (alerts.length === 0) return []
  try {
    await publish(home, {
      type: 'alert.acknowledged',
      id: newRunId(),
      time: toLocalIso(now, 'milliseconds'),
      job,
      alerts,
    })
  } catch (error) {
    throw new CronwrapError('CANNOT_RECORD', `the acknowledgement could not be recorded: ${messageOf(error)}`, {
      cause: error,
    })
  }
  return alerts.map(({ kind }) => kind)
}
