import { hostname } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../errors.ts'
import { monotonicMs, sleep, toLocalIso } from '../platform/clock.ts'
import { newRunId } from '../platform/run-id.ts'
import type { RunFinished } from '../record/event.ts'
import type { StreamName } from '../record/spooled-stream.ts'
import { runAttempt, type AttemptRequest, type AttemptResult, type Outlet } from './attempt.ts'
import { deliverRest, type JobOutput } from './deliver-rest.ts'
import { NOTHING_INHERITED, readInheritance, type Inheritance } from './inheritance.ts'
import { jitterDelayMs } from './jitter.ts'
import { createJobSpec, type JobSpec, type RunRequest } from './job-spec.ts'
import { decideOutcome, signalNumber, type Outcome } from './outcome.ts'
import { openPings, type Ping } from './open-pings.ts'
import type { Entry } from './overlap.ts'
import { PassThrough } from './pass-through.ts'
import { addUse, type ResourceUse } from './resource-watch.ts'
import { retryDelayMs } from './retry.ts'
import { runFinishedEvent } from './run-event.ts'
import { prepareClose, RunRecord } from './run-record.ts'
import { SignalRelay } from './signals.ts'

/** After a signal that asks us to end, our reader has this long for what it has not taken yet. */
const LAST_FLUSH_MS = 100
/** Lost runs of others are recorded for at most this long after our job has ended. */
const SWEEP_AFTER_END_MS = 2_000

export interface RunResult {
  readonly job: string
  readonly runId: string
  /** What `cronwrap` returns to its caller: see the table of exit codes in the README. */
  readonly exitCode: number
  /** The recorded fact; null when nothing ran: `overlap: 'skip'` left it out, or a signal came before it began. */
  readonly run: RunFinished | null
  /** Why the command could not be started; null when it was. */
  readonly notStarted: string | null
  /** What could not be recorded, or told to the server of `--ping`. Never changes the exit code. */
  readonly problems: readonly string[]
  /** Whether what was passed on to stdout, if anything, ends a line. */
  readonly endsLine: boolean
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
  const inheritance = spec.transparent ? readInheritance(spec.env) : NOTHING_INHERITED
  const relay = new SignalRelay()
  // First of all: a signal must not end us unheard, and under nohup a hangup must not end us at all.
  if (spec.transparent) relay.listen(inheritance.ignoresHangup)
  try {
    const runId = newRunId()
    if (spec.options.jitterMs > 0) await relay.sleep(jitterDelayMs(hostname(), spec.job, spec.options.jitterMs))
    const entry = await enter(spec, runId, relay)
    if (relay.interruptedBy !== null) return notRun(spec, runId, 128 + signalNumber(relay.interruptedBy))
    const ping = openPings(spec, runId, relay)
    const result =
      entry.kind === 'occupied'
        ? await skip(spec, runId, entry.runId, ping)
        : await runAndRecord({ spec, runId, relay, inheritance, entry, ping }).finally(entry.leave)
    // The run is over and its place is free: a server that does not answer keeps nobody but us.
    const problem = await ping((pings) => pings.settled())
    return problem === null ? result : { ...result, problems: [...result.problems, problem] }
  } finally {
    relay.dispose()
  }
}

/** Waits for, replaces or gives way to another run of the job, as the spec says. */
async function enter(spec: JobSpec, runId: string, relay: SignalRelay): Promise<Entry> {
  const free = { kind: 'entered', onStart: () => undefined, leave: () => undefined } as const
  if (spec.options.overlap === 'allow') return { ...free, problem: null }
  try {
    const { enterJob } = await import('./overlap.ts')
    return await enterJob(spec, runId, relay)
  } catch (error) {
    return { ...free, problem: `overlapping runs could not be ruled out: ${messageOf(error)}` }
  }
}

interface Entered {
  readonly spec: JobSpec
  readonly runId: string
  readonly relay: SignalRelay
  readonly inheritance: Inheritance
  readonly entry: Extract<Entry, { kind: 'entered' }>
  readonly ping: Ping
}

async function runAndRecord(entered: Entered): Promise<RunResult> {
  const { spec, runId, relay, entry } = entered
  const startedAt = new Date()
  const record = new RunRecord(spec, runId, startedAt)
  if (entry.problem !== null) record.problems.push(entry.problem)
  relay.onInterruption((signal) => record.noteSignal(signal))
  const output = { stdout: new PassThrough(spec.openStdout), stderr: new PassThrough(spec.openStderr) }
  const made = await runAttempts({ ...entered, record, output })
  const { last, outcome } = made
  const notStarted = last.exit.kind === 'not-started' ? last.exit.detail : null
  const event = runFinishedEvent(spec, record.redactor, {
    ...made,
    runId,
    startedAt,
    finishedAt: new Date(),
    outputHeld: last.outputHeld,
    lastWords: notStarted ?? (outcome.status === 'error' ? record.lastWords(made.attempts) : ''),
  })
  record.noteFinished(event)
  await made.swept
  await record.commit(event, () => relay.interruptedBy !== null)
  // On record now, so it may be told.
  await entered.ping((pings) => pings.end(event, record.output))
  // A slow reader gets everything, as from the job itself, unless we are told to end.
  await Promise.race([deliverRest(record, event, spec, output), relay.interrupted.then(() => sleep(LAST_FLUSH_MS))])
  for (const stream of [output.stdout, output.stderr]) stream.disconnect()
  record.discard()
  const { problems } = record
  return {
    job: spec.job,
    runId,
    exitCode: outcome.returnCode,
    run: event,
    notStarted,
    problems,
    endsLine: output.stdout.endsLine,
  }
}

interface Run extends Entered {
  readonly record: RunRecord
  readonly output: JobOutput
}

interface AttemptsMade {
  readonly last: AttemptResult
  readonly outcome: Outcome
  readonly attempts: number
  readonly durationMs: number
  readonly use: ResourceUse
  readonly stdoutBytes: number
  readonly stderrBytes: number
  /** Resolves when older runs that were lost are on record, or it is time to go. */
  readonly swept: Promise<void>
}

/** Runs the command, and again after a failure while retries are left and nobody asked us to end. */
async function runAttempts(run: Run): Promise<AttemptsMade> {
  const { spec, record, relay, entry, ping } = run
  const startedAt = monotonicMs()
  const bytes = { stdoutBytes: 0, stderrBytes: 0 }
  let use: ResourceUse | null = null
  let endedAt = Infinity
  const hurry = (): boolean => relay.interruptedBy !== null || monotonicMs() > endedAt + SWEEP_AFTER_END_MS
  let swept: Promise<void> | null = null
  for (let attempt = 1; ; attempt++) {
    const outlets = openOutlets(run, attempt)
    const attempting = runAttempt({
      ...childRequest(run, attempt),
      ...outlets,
      options: spec.options,
      relay,
      ownsChildren: spec.transparent,
      onStart: (pid) => {
        entry.onStart(pid)
        void ping((pings) => pings.start())
      },
    })
    // Only now, while the job runs, is anything loaded that the end of the run needs.
    swept ??= prepareClose(spec.home, run.runId, hurry)
    const last = await attempting
    use = addUse(use, last.use)
    bytes.stdoutBytes += outlets.stdout.spooled?.bytes ?? 0
    bytes.stderrBytes += outlets.stderr.spooled?.bytes ?? 0
    const outcome = decideOutcome({ ...last, okCodes: spec.options.okCodes })
    const again = outcome.status === 'error' && attempt <= spec.options.retries && relay.interruptedBy === null
    if (again) {
      const { reason, exitCode, signal } = outcome
      const end = { reason, exit_code: exitCode, signal, duration_ms: last.durationMs }
      record.noteAttempt(attempt, end)
      void ping((pings) => pings.retry(attempt, end, record.output))
      await relay.sleep(retryDelayMs(attempt, spec.options.retryDelayMs, Math.random))
    }
    if (!again || relay.interruptedBy !== null) {
      endedAt = monotonicMs()
      const durationMs = attempt === 1 ? last.durationMs : Math.round(endedAt - startedAt)
      return { last, outcome, attempts: attempt, durationMs, use, swept, ...bytes }
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
      env: jobEnvironment(spec, runId),
      inheritance,
      pipes: record.directory === null ? null : { directory: record.directory, pool, label: `${runId}.${attempt}` },
    },
  }
}

function jobEnvironment({ env, job, options }: JobSpec, runId: string): NodeJS.ProcessEnv {
  const allowed = options.allowStateWrite ? '1' : undefined
  return {
    ...env,
    CRONWRAP_JOB_ID: job,
    CRONWRAP_RUN_ID: runId,
    CRONWRAP_ALLOW_STATE_WRITE: allowed,
    // A run inside this one is another check; and the address is a secret.
    CRONWRAP_PING: undefined,
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

async function skip(spec: JobSpec, runId: string, runningRunId: string, ping: Ping): Promise<RunResult> {
  const time = toLocalIso(new Date(), 'milliseconds')
  const result = notRun(spec, runId, spec.options.skipExitCode)
  const { publish } = await import('../record/publish.ts')
  try {
    await publish(spec.home, { type: 'run.skipped', id: runId, time, job: spec.job, running_run_id: runningRunId })
    return result
  } catch (error) {
    return { ...result, problems: [`the skipped run could not be recorded: ${messageOf(error)}`] }
  } finally {
    await ping((pings) => pings.skip(runningRunId))
  }
}

function notRun({ job }: JobSpec, runId: string, exitCode: number): RunResult {
  return { job, runId, exitCode, run: null, notStarted: null, problems: [], endsLine: true }
}
