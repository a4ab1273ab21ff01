import type { Home } from '../config/base-directory.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { toLocalIso } from '../platform/clock.ts'
import { newRunId } from '../platform/run-id.ts'
import { deriveAlerts, type AlertKind } from './alerts.ts'
import { publish } from './publish.ts'
import { readSummary } from './read-records.ts'

/**
 * Marks a job's present alerts as known. They stay until what is wrong is over.
 * @returns the kinds that were acknowledged; none when the job has no alert
 * @throws CronwrapError `CANNOT_RECORD`
 */
export async function acknowledgeAlerts(home: Home, job: string, now: Date): Promise<readonly AlertKind[]> {
  const kinds = deriveAlerts(readSummary(home), now)
    .filter((alert) => alert.job_id === job && !alert.acknowledged)
    .map((alert) => alert.kind)
  if (kinds.length === 0) return []
  try {
    await publish(home, {
      type: 'alert.acknowledged',
      id: newRunId(),
      time: toLocalIso(now, 'milliseconds'),
      job,
      kinds,
    })
  } catch (error) {
    throw new CronwrapError('CANNOT_RECORD', `the acknowledgement could not be recorded: ${messageOf(error)}`, {
      cause: error,
    })
  }
  return kinds
}
