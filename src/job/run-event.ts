import { hostname } from 'node:os'
import type { Home } from '../config/base-directory.ts'
import type { RunOptions } from '../config/run-options.ts'
import { toLocalIso } from '../platform/clock.ts'
import type { JobSchedule, RunFinished } from '../record/event.ts'
import { describeEnd, printable } from '../record/outcome-text.ts'
import type { Redactor } from '../record/redact.ts'
import type { Outcome } from './outcome.ts'
import type { ResourceUse } from './resource-watch.ts'

const MAX_COMMAND_BYTES = 4096
const MAX_ERROR_CHARS = 300

/** What is recorded of a job whoever runs it. */
export interface RecordedJob {
  readonly home: Home
  readonly job: string
  readonly command: readonly string[]
  readonly options: Pick<RunOptions, (typeof RECORDED_OPTIONS)[number]>
}

export const RECORDED_OPTIONS = [
  'maxOutputBytes',
  'alertAfter',
  'expectDelivery',
  'deliveryGraceMs',
  'redact',
  'noRedact',
  'schedule',
  'tz',
  'graceMs',
  'jitterMs',
  'slowAfterMs',
] as const satisfies readonly (keyof RunOptions)[]

export interface RunFacts {
  readonly runId: string
  readonly startedAt: Date
  readonly finishedAt: Date
  readonly durationMs: number | null
  readonly attempts: number
  readonly outcome: Outcome
  readonly stdoutBytes: number
  readonly stderrBytes: number
  readonly outputHeld: boolean
  /** Null when nobody measured. */
  readonly use: ResourceUse | null
  /** What the job printed last, or why it could not be started; may hold secrets. */
  readonly lastWords: string
}

/** The fact that the journal keeps of a run. */
export function runFinishedEvent(spec: RecordedJob, redactor: Redactor, facts: RunFacts): RunFinished {
  const { outcome } = facts
  const base = {
    reason: outcome.reason,
    exit_code: outcome.exitCode,
    signal: outcome.signal,
  }
  return {
    type: 'run.finished',
    id: facts.runId,
    time: toLocalIso(facts.finishedAt, 'milliseconds'),
    job: spec.job,
    run_id: facts.runId,
    started: toLocalIso(facts.startedAt, 'milliseconds'),
    duration_ms: facts.durationMs,
    status: outcome.status,
    ...base,
    attempts: facts.attempts,
    command: limitCommand(redactor.words(spec.command)),
    stdout_bytes: facts.stdoutBytes,
    stderr_bytes: facts.stderrBytes,
    last_error: outcome.status === 'error' ? describeError(base, redactor.text(facts.lastWords)) : null,
    output_held: facts.outputHeld,
    alert_after: spec.options.alertAfter,
    expects_delivery: spec.options.expectDelivery,
    delivery_grace_ms: spec.options.deliveryGraceMs,
    host: hostname(),
    schedule: scheduleOf(spec.options),
    cpu_ms: facts.use?.cpuMs ?? null,
    max_memory_bytes: facts.use?.maxMemoryBytes ?? null,
  }
}

type ScheduleOptions = Pick<RunOptions, 'schedule' | 'tz' | 'graceMs' | 'jitterMs'>

/** When a job with these options is due, if they say so. A start that is put off on purpose is not late. */
export function scheduleOf(options: ScheduleOptions & { readonly schedule: string }): JobSchedule
export function scheduleOf(options: ScheduleOptions): JobSchedule | null
export function scheduleOf(options: ScheduleOptions): JobSchedule | null {
  const { schedule, tz, graceMs, jitterMs } = options
  return schedule === null ? null : { expression: schedule, tz, grace_ms: graceMs + jitterMs }
}

/** The last words of a job that ended by itself say why; of another, how it ended says more. */
function describeError(end: Parameters<typeof describeEnd>[0], lastWords: string): string {
  const line = lastErrorOf(lastWords)
  if (line === null) return describeEnd(end)
  return ['exit', 'not-found', 'not-executable'].includes(end.reason)
    ? line
    : `${describeEnd(end)}; last output: ${line}`
}

/** The last line that says anything: where Python, Node and most tools put the error. */
function lastErrorOf(output: string): string | null {
  const line = output
    .split(/[\r\n]+/)
    .map((text) => printable(text).trim())
    .filter((text) => text !== '')
    .at(-1)
  return line === undefined ? null : Array.from(line).slice(0, MAX_ERROR_CHARS).join('')
}

/** An event must stay small; thousands of arguments are told by the first ones. */
export function limitCommand(command: readonly string[]): string[] {
  const kept: string[] = []
  let left = MAX_COMMAND_BYTES
  for (const word of command) {
    left -= Buffer.byteLength(word) + 1
    if (left < 0) return [...kept, '…']
    kept.push(word)
  }
  return kept
}
