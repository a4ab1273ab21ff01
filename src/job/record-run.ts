import { resolveHome } from '../config/base-directory.ts'
import { parseId } from '../config/job-id.ts'
import { DEFAULT_RUN_OPTIONS } from '../config/option-specs.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { newRunId } from '../platform/run-id.ts'
import type { RunStatus } from '../record/event.ts'
import type { StreamName } from '../record/spooled-stream.ts'
import type { Outcome } from './outcome.ts'
import { RECORDED_OPTIONS, runFinishedEvent, type RecordedJob } from './run-event.ts'
import { RunRecord } from './run-record.ts'

/** A run that something else executed. */
export interface RecordRunRequest extends Partial<RecordedJob['options']> {
  readonly job: string
  readonly status: RunStatus
  /** Null when it is not known. */
  readonly durationMs: number | null
  /** 0 for a success and 1 for an error when missing. */
  readonly exitCode?: number
  readonly command?: readonly string[]
  /** What it printed: pieces of bytes, so that a large file need not be held in memory. */
  readonly stdout?: Iterable<Buffer>
  readonly stderr?: Iterable<Buffer>
  /** The error in one line; the last line of stderr when missing. */
  readonly error?: string
  readonly startedAt?: Date
  readonly home?: string
  readonly env?: NodeJS.ProcessEnv
}

export type RecordRunResult =
  { readonly kind: 'recorded'; readonly runId: string } | { readonly kind: 'wrapped'; readonly runId: string }

/**
 * Records a run: what a script calls that does not run under `cronwrap --`. Inside a wrapped run of
 * the same job the wrapper records it, so this records nothing.
 * @throws CronwrapError `BAD_ID`, or `CANNOT_RECORD` when it is not on record afterwards
 */
export async function recordRun(request: RecordRunRequest): Promise<RecordRunResult> {
  const env = request.env ?? process.env
  const job = parseId(request.job)
  const wrapper = env['CRONWRAP_RUN_ID']
  if (wrapper !== undefined && env['CRONWRAP_JOB_ID'] === job) return { kind: 'wrapped', runId: wrapper }
  const spec: RecordedJob = {
    home: resolveHome(request.home, env),
    job,
    command: request.command ?? [],
    options: recordedOptions(request),
  }
  const runId = newRunId()
  const finishedAt = new Date()
  const startedAt = request.startedAt ?? new Date(finishedAt.getTime() - (request.durationMs ?? 0))
  const record = new RunRecord(spec, runId, startedAt)
  const stdoutBytes = copyInto(record, 'stdout', request.stdout ?? [])
  const stderrBytes = copyInto(record, 'stderr', request.stderr ?? [])
  const event = runFinishedEvent(spec, record.redactor, {
    runId,
    startedAt,
    finishedAt,
    durationMs: request.durationMs,
    attempts: 1,
    outcome: outcomeOf(request),
    stdoutBytes,
    stderrBytes,
    outputHeld: false,
    use: null,
    lastWords: request.error ?? record.lastWords(1),
  })
  record.noteFinished(event)
  await record.commit(event, () => false)
  record.discard()
  if (record.problems.length > 0) throw new CronwrapError('CANNOT_RECORD', `${job}: ${record.problems.join('; ')}`)
  return { kind: 'recorded', runId }
}

function outcomeOf({ status, exitCode }: RecordRunRequest): Outcome {
  const code = exitCode ?? (status === 'success' ? 0 : 1)
  return { status, reason: 'exit', exitCode: code, returnCode: code, signal: null }
}

function copyInto(record: RunRecord, name: StreamName, pieces: Iterable<Buffer>): number {
  const stream = record.openStream(1, name)
  let bytes = 0
  try {
    for (const piece of pieces) {
      bytes += piece.byteLength
      stream?.write(piece)
    }
  } catch (error) {
    record.problems.push(`the ${name} could not be read: ${messageOf(error)}`)
  }
  stream?.close()
  return bytes
}

function recordedOptions(request: RecordRunRequest): RecordedJob['options'] {
  const options = RECORDED_OPTIONS.map((key) => [key, request[key] ?? DEFAULT_RUN_OPTIONS[key]])
  return Object.fromEntries(options) as RecordedJob['options']
}
