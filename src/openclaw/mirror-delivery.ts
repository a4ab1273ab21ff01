import type { Home } from '../config/base-directory.ts'
import { CronwrapError } from '../errors.ts'
import type { DeliveryStatus } from '../record/event.ts'
import { readRuns, readSummary } from '../record/read-records.ts'
import { recordDelivery, unknownJob } from '../record/record-delivery.ts'
import { cannotAsk } from './openclaw-cli.ts'
import { recordedRunOf, type OpenclawRun } from './openclaw-run.ts'
import { jobsRecordingAs, runsOfAll, viewOpenclaw } from './openclaw-view.ts'

export interface MirrorResult {
  readonly status: DeliveryStatus | null
  readonly messageId: string | null
  readonly runId: string | null
  /** Why nothing was recorded; null when something was. */
  readonly reason: string | null
}

/**
 * Records what OpenClaw knows of the delivery of the job's latest run. OpenClaw keeps no message id, so the
 * record names its run instead; a delivery that somebody recorded with a message id is left alone.
 * @throws CronwrapError when the job is not known here or there, or OpenClaw cannot be asked
 */
export async function mirrorDelivery(home: Home, job: string): Promise<MirrorResult> {
  const entry = readSummary(home).get(job)
  if (entry === undefined) throw unknownJob(job, [...readSummary(home).keys()])
  const view = await viewOpenclaw()
  if (view === null) throw cannotAsk({ kind: 'absent' })
  const jobs = jobsRecordingAs(view, job)
  if (jobs.length === 0) throw noSuchJob(job, view.silence)
  const runs = await runsOfAll(view, jobs)
  if (runs === null) throw cannotAsk({ kind: 'failed', message: 'it does not tell the runs of the job', ran: false })
  const [run] = runs
  if (run === undefined) throw new CronwrapError('NO_SUCH_RUN', `OpenClaw has no run of "${job}"`)
  const recorded = recordedRunOf(
    run,
    readRuns(home, job),
    jobs.find(({ id }) => id === run.jobId) ?? { payload: 'unknown' },
  )
  const nothing = (reason: string): MirrorResult => ({
    status: null,
    messageId: null,
    runId: recorded?.run_id ?? null,
    reason,
  })
  if (recorded === null) return nothing('the latest run in OpenClaw has no run here: the command was never started')
  const known = entry.last_delivery
  if (known !== null && known.run_id === recorded.run_id && !known.message_id.startsWith(PREFIX))
    return nothing(`message ${known.message_id} is on record already`)
  const status = deliveryStatusOf(run)
  if (status === null)
    return nothing(`OpenClaw does not know whether it arrived (${run.deliveryStatus ?? 'no status'})`)
  const messageId = `${PREFIX}${run.runId}`
  await recordDelivery({
    home: home.base,
    job,
    messageId,
    status,
    runId: recorded.run_id,
    ...(run.channel === null ? {} : { channel: run.channel }),
    ...(status === 'failed' ? { error: run.deliveryError ?? 'not delivered' } : {}),
  })
  return { status, messageId, runId: recorded.run_id, reason: null }
}

const PREFIX = 'openclaw-run:'

/** What is suppressed was not to be sent, which is no failure; what is unknown is neither. */
export function deliveryStatusOf({ deliveryStatus, suppressed }: OpenclawRun): DeliveryStatus | null {
  if (deliveryStatus === 'delivered') return 'delivered'
  if (deliveryStatus === 'not-requested' || suppressed !== null) return 'skipped'
  return deliveryStatus === 'not-delivered' ? 'failed' : null
}

function noSuchJob(job: string, silence: string | null): CronwrapError {
  if (silence !== null) return cannotAsk({ kind: 'failed', message: silence, ran: false })
  return new CronwrapError('UNKNOWN_JOB', `OpenClaw has no job that records as "${job}"`, {
    hint: 'see openclaw cron list --all',
  })
}
