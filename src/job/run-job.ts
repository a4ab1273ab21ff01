import { hostname } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../errors.ts'
import { monotonicMs, sleep, toLocalIso } from '../platform/clock.ts'
import { newRunId } from '../platform/run-id.ts'
import type { RunFinished } from '../record/event.ts'
import type { StreamName } from '../record/spooled-stream.ts'
import { runAttempt, type AttemptRequest, type AttemptResult, type Outlet } from './attempt.ts'
import { readInheritance, type Inheritance } from './inheritance.ts'
import { jitterDelayMs } from './jitter.ts'
import { createJobSpec, type JobSpec, type RunRequest } from './job-spec.ts'
import { decideOutcome, type Outcome } from './outcome.ts'
import { PassThrough } from './pass-through.ts'
import { retryDelayMs } from './retry.ts'
import { runFinishedEvent } from './run-event.ts'
import { prepareClose, RunRecord } from './run-record.ts'
import { SignalRelay } from './signals.ts'

/** After a signal that asks us to end, our reader has this long for what it has not taken yet. */
const LAST_FLUSH_MS = 100

export interface RunResult {
  readonly job: string
  readonly runId: string
  /** What `cronwrap` returns to its caller: see the table of exit codes in the README. */
  readonly exitCode: number
  /** The recorded fact; null for a run that `overlap: 'skip'` left out. */
  readonly run: RunFinished | null
  /** Why the command could not be started; null when it was. */
  readonly notStarted: string | null
  /** What could not be recorded. Never changes the exit code. */
  readonly problems: readonly string[]
}

/**
 * Runs a job and records it.
 *
 *   request ─▶ overlap? ─▶ marker + spool ─▶ attempt(s), output passing through ─▶ outcome ─▶ journal, log, views
 *
 * A job that fails, or cannot be started, is a result and not an error.
 * @throws CronwrapError for a request that makes no sense
 */
export async function runJob(request: RunRequest): Promise<RunResult> {
  const spec = createJobSpec(request)
  if (spec.options.jitterMs > 0) await sleep(jitterDelayMs(hostname(), spec.job, spec.options.jitterMs))
  const runId = newRunId()
  if (spec.options.overlap === 'allow') return runAndRecord(spec, runId, [])
  const { enterJob } = await import('./overlap.ts')
  const { overlap, killAfterMs } = spec.options
  const entry = await enterJob(spec.home, spec.job, runId, overlap, killAfterMs).catch((error: unknown) =>
    messageOf(error),
  )
  if (typeof entry === 'string') return runAndRecord(spec, runId, [`overlapping runs could not be ruled out: ${entry}`])
  if (entry.kind === 'occupied') return skip(spec, runId, entry.runId)
  try {
    return await runAndRecord(spec, runId, [])
  } finally {
    entry.leave()
  }
}

async function runAndRecord(spec: JobSpec, runId: string, problems: readonly string[]): Promise<RunResult> {
  const inheritance = readInheritance(spec.env)
  const relay = new SignalRelay()
  if (spec.forwardSignals) relay.listen(inheritance.ignoresHangup)
  try {
    const startedAt = new Date()
    const record = new RunRecord(spec, runId, startedAt)
    record.problems.push(...problems)
    relay.onInterruption((signal) => record.noteSignal(signal))
    const output = openOutput(spec)
    const made = await runAttempts({ spec, runId, record, relay, inheritance, output })
    const { last, outcome } = made
    const notStarted = last.exit.kind === 'not-started' ? last.exit.detail : null
    const event = runFinishedEvent(spec, {
      runId,
      startedAt,
      finishedAt: new Date(),
      durationMs: made.durationMs,
      attempts: made.count,
      outcome,
      stdoutBytes: made.stdoutBytes,
      stderrBytes: made.stderrBytes,
      outputHeld: last.outputHeld,
      lastWords: notStarted ?? (outcome.status === 'error' ? record.lastWords(made.count) : ''),
    })
    if (spec.options.tee === 'on-failure' && outcome.status === 'error') await replay(record, made.count, output)
    await record.close(event, () => relay.interruptedBy !== null)
    // A slow reader gets everything, as from the job itself, unless we are told to end.
    await Promise.race([
      Promise.all([output.stdout.flush(), output.stderr.flush()]),
      relay.interrupted.then(() => sleep(LAST_FLUSH_MS)),
    ])
    return { job: spec.job, runId, exitCode: outcome.returnCode, run: event, notStarted, problems: record.problems }
  } finally {
    relay.dispose()
  }
}

interface Output {
  readonly stdout: PassThrough
  readonly stderr: PassThrough
}

function openOutput(spec: JobSpec): Output {
  return { stdout: new PassThrough(spec.openStdout), stderr: new PassThrough(spec.openStderr) }
}

interface Run {
  readonly spec: JobSpec
  readonly runId: string
  readonly record: RunRecord
  readonly relay: SignalRelay
  readonly inheritance: Inheritance
  readonly output: Output
}

interface AttemptsMade {
  readonly last: AttemptResult
  readonly outcome: Outcome
  readonly count: number
  readonly durationMs: number
  readonly stdoutBytes: number
  readonly stderrBytes: number
}

/** Runs the command, and again after a failure while retries are left and nobody asked us to end. */
async function runAttempts(run: Run): Promise<AttemptsMade> {
  const { spec, record, relay } = run
  const startedAt = monotonicMs()
  const bytes = { stdout: 0, stderr: 0 }
  let sweep: Promise<void> | null = null
  for (let attempt = 1; ; attempt++) {
    const outlets = openOutlets(run, attempt)
    const attempting = runAttempt({ ...childRequest(run, attempt), ...outlets, options: spec.options, relay })
    // Only now, while the job runs, is anything loaded that the end of the run needs.
    sweep ??= prepareClose(spec.home, run.runId)
    const last = await attempting
    bytes.stdout += outlets.stdout.spooled?.bytes ?? 0
    bytes.stderr += outlets.stderr.spooled?.bytes ?? 0
    const outcome = decideOutcome({ ...last, interruptedBy: relay.interruptedBy, okCodes: spec.options.okCodes })
    const again = outcome.status === 'error' && attempt <= spec.options.retries && relay.interruptedBy === null
    if (again) {
      const { reason, exitCode, signal } = outcome
      record.noteAttempt(attempt, { reason, exit_code: exitCode, signal, duration_ms: last.durationMs })
      await relay.sleep(retryDelayMs(attempt, spec.options.retryDelayMs, Math.random))
    }
    if (!again || relay.interruptedBy !== null) {
      await sweep
      const durationMs = attempt === 1 ? last.durationMs : Math.round(monotonicMs() - startedAt)
      return { last, outcome, count: attempt, durationMs, stdoutBytes: bytes.stdout, stderrBytes: bytes.stderr }
    }
  }
}

function childRequest(
  { spec, runId, record, inheritance }: Run,
  attempt: number,
): Pick<AttemptRequest, 'child' | 'mark'> {
  const pool = join(spec.home.running, '.pipes')
  return {
    mark: `CRONWRAP_RUN_ID=${runId}`,
    child: {
      command: spec.command,
      cwd: spec.options.cwd,
      env: { ...spec.env, CRONWRAP_JOB_ID: spec.job, CRONWRAP_RUN_ID: runId },
      inheritance,
      pipes: record.directory === null ? null : { directory: record.directory, pool, label: `${runId}.${attempt}` },
    },
  }
}

function openOutlets({ spec, record, output }: Run, attempt: number): Pick<AttemptRequest, 'stdout' | 'stderr'> {
  const outlet = (name: StreamName): Outlet => {
    const spooled = record.openStream(attempt, name)
    const { tee } = spec.options
    // Held back output is replayed from the spool; without one it passes at once rather than never.
    const passes = tee === 'both' || tee === name || (tee === 'on-failure' && spooled === null)
    return { spooled, passThrough: passes ? output[name] : null }
  }
  return { stdout: outlet('stdout'), stderr: outlet('stderr') }
}

async function replay(record: RunRecord, attempts: number, output: Output): Promise<void> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    for (const name of ['stdout', 'stderr'] as const) {
      for (const chunk of record.replay(attempt, name)) {
        output[name].write(chunk, UNSTOPPABLE)
        await output[name].flush()
      }
    }
  }
}

const UNSTOPPABLE = { pause: () => undefined, resume: () => undefined }

async function skip(spec: JobSpec, runId: string, runningRunId: string): Promise<RunResult> {
  const result = { job: spec.job, runId, exitCode: spec.options.skipExitCode, run: null, notStarted: null }
  const time = toLocalIso(new Date(), 'milliseconds')
  const { publish } = await import('../record/publish.ts')
  try {
    await publish(spec.home, { type: 'run.skipped', id: runId, time, job: spec.job, running_run_id: runningRunId })
    return { ...result, problems: [] }
  } catch (error) {
    return { ...result, problems: [`the skipped run could not be recorded: ${messageOf(error)}`] }
  }
}
