import { resolveHome, type Home } from '../config/base-directory.ts'
import { parseId } from '../config/job-id.ts'
import { resolveRunOptions } from '../config/resolve-run-options.ts'
import { nearest } from '../config/nearest.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { toLocalIso } from '../platform/clock.ts'
import { isRunId, newRunId } from '../platform/run-id.ts'
import { DELIVERY_STATUSES, type Delivery, type DeliveryStatus } from './event.ts'
import { appendDeliveryNote } from './execution-log.ts'
import { deliveryKey } from './fold.ts'
import { publish } from './publish.ts'
import { redactorFor } from './redact.ts'
import { listRunning, readRuns, readSummary, type ReadOptions } from './read-records.ts'

const MAX_TEXT_BYTES = 4096

export interface DeliveryRequest extends ReadOptions {
  readonly job: string
  /** As the channel gave it; kept as text, to the letter. */
  readonly messageId: string
  /** `sent` when missing. */
  readonly status?: DeliveryStatus
  readonly channel?: string
  /** Why it failed. */
  readonly error?: string
  /** The run it belongs to; the job's latest finished run when missing, or, inside a run of the job, that run. */
  readonly runId?: string
}

export interface DeliveryResult {
  readonly runId: string | null
  /** False when the same message and status were already on record for the run. */
  readonly recorded: boolean
}

/**
 * Records that a job's message was sent, or was not.
 * @throws CronwrapError `BAD_ID`, `BAD_VALUE`, `UNKNOWN_JOB`, `NO_SUCH_RUN`, or `CANNOT_RECORD`
 */
export async function recordDelivery(request: DeliveryRequest): Promise<DeliveryResult> {
  const env = request.env ?? process.env
  const home = resolveHome(request.home, env)
  const job = parseId(request.job)
  checkText('message id', request.messageId)
  checkText('error', request.error ?? '-')
  checkText('channel', request.channel ?? '-')
  const runId = request.runId === undefined ? currentOrLatestRun(home, job, env) : existingRun(home, job, request.runId)
  const { options } = resolveRunOptions(new Map([['job', job]]), [], env, home)
  const redactor = redactorFor(options)
  const delivery: Delivery = {
    type: 'delivery',
    id: newRunId(),
    time: toLocalIso(new Date(), 'milliseconds'),
    job,
    run_id: runId,
    message_id: request.messageId,
    status: parseDeliveryStatus(request.status ?? 'sent'),
    channel: request.channel === undefined ? null : redactor.text(request.channel),
    error: request.error === undefined ? null : redactor.text(request.error),
  }
  if (readSummary(home).get(job)?.recent_deliveries.includes(deliveryKey(delivery))) return { runId, recorded: false }
  await write(home, delivery)
  return { runId, recorded: true }
}

async function write(home: Home, delivery: Delivery): Promise<void> {
  try {
    const result = await publish(home, delivery)
    if (result.kind === 'failed') throw result.error
    await appendDeliveryNote(home, delivery)
  } catch (error) {
    throw new CronwrapError(
      'CANNOT_RECORD',
      `the delivery for ${delivery.job} is not fully recorded: ${messageOf(error)}`,
      { cause: error },
    )
  }
}

/** @throws CronwrapError `BAD_VALUE` */
export function parseDeliveryStatus(text: string): DeliveryStatus {
  const status = DELIVERY_STATUSES.find((each) => each === text)
  if (status !== undefined) return status
  throw new CronwrapError('BAD_VALUE', `"${text}" is not a delivery status`, {
    hint: `use one of ${DELIVERY_STATUSES.join(', ')}`,
  })
}

function checkText(what: string, text: string): void {
  const bytes = Buffer.byteLength(text)
  if (text !== '' && bytes <= MAX_TEXT_BYTES) return
  throw new CronwrapError('BAD_VALUE', `the ${what} has ${bytes} bytes; 1 to ${MAX_TEXT_BYTES} are possible`)
}

function currentOrLatestRun(home: Home, job: string, env: NodeJS.ProcessEnv): string | null {
  const current = env['CRONWRAP_RUN_ID']
  if (env['CRONWRAP_JOB_ID'] === job && current !== undefined && isRunId(current)) return current
  const summary = readSummary(home)
  const entry = summary.get(job)
  // A job whose first run is still going may already have sent its message.
  const running = listRunning(home).find(({ manifest }) => manifest.job === job)
  if (entry !== undefined) return entry.last_run_id ?? running?.manifest.run_id ?? null
  if (running !== undefined) return running.manifest.run_id
  throw unknownJob(job, [...summary.keys()])
}

function existingRun(home: Home, job: string, runId: string): string {
  const runs = [...readRuns(home, job), ...listRunning(home).map(({ manifest }) => manifest)]
  if (runs.some((run) => run.job === job && run.run_id === runId)) return runId
  throw new CronwrapError('NO_SUCH_RUN', `${job} has no run "${runId}" on record`, { hint: `see cronwrap runs ${job}` })
}

/** The error for a job that nobody has heard of, with the nearest one that is known. */
export function unknownJob(job: string, known: readonly string[]): CronwrapError {
  const near = nearest(job, known)
  const hint = near !== undefined ? `did you mean ${near}?` : 'cronwrap status lists the jobs that are'
  return new CronwrapError('UNKNOWN_JOB', `no run of a job "${job}" is on record`, { hint })
}
