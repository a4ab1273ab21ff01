import type { RunFinished } from '../record/event.ts'
import { numberField, textField } from './openclaw-cli.ts'

/** What cronwrap looks at of one run in OpenClaw's history. */
export interface OpenclawRun {
  readonly jobId: string
  readonly runId: string
  /** `ok`, `error` or `skipped`. */
  readonly status: string
  readonly error: string | null
  readonly startedMs: number
  readonly endedMs: number
  /** `delivered`, `not-delivered`, `unknown` or `not-requested`. */
  readonly deliveryStatus: string | null
  readonly deliveryError: string | null
  /** Why nothing was to be delivered, which is healthy: `silent`, `empty`, … */
  readonly suppressed: string | null
  readonly channel: string | null
}

export function readRun(value: unknown): OpenclawRun | null {
  const jobId = textField(value, 'jobId')
  const ended = numberField(value, 'ts')
  if (jobId === null || ended === null || (textField(value, 'action') ?? 'finished') !== 'finished') return null
  const started = numberField(value, 'runAtMs') ?? ended - (numberField(value, 'durationMs') ?? 0)
  return {
    jobId,
    runId: textField(value, 'runId') ?? `${jobId}:${started}`,
    status: textField(value, 'status') ?? 'unknown',
    error: textField(value, 'error'),
    startedMs: started,
    endedMs: Math.max(ended, started + (numberField(value, 'durationMs') ?? 0)),
    deliveryStatus: textField(value, 'deliveryStatus'),
    deliveryError: textField(value, 'deliveryError') ?? textField(value, 'delivery', 'resolved', 'error'),
    suppressed: textField(value, 'deliverySuppressionReason'),
    channel: textField(value, 'delivery', 'intended', 'channel'),
  }
}

/** The two clocks of one machine are read at different moments. */
const SLACK_MS = 1_000

/**
 * The run of cronwrap that OpenClaw's run started, or null: the two share no id, only the time. A command is started once, so
 * the nearest start counts; an agent may run it again until it succeeds, so the last one does.
 */
export function recordedRunOf(
  run: OpenclawRun,
  recorded: readonly RunFinished[],
  { payload }: { readonly payload: string },
): RunFinished | null {
  const distance = ({ started }: RunFinished): number => Math.abs(Date.parse(started) - run.startedMs)
  const within = recorded.filter(({ started }) => {
    const at = Date.parse(started)
    return at >= run.startedMs - SLACK_MS && at <= run.endedMs
  })
  if (payload === 'agentTurn') return within.at(-1) ?? null
  return within.toSorted((a, b) => distance(a) - distance(b))[0] ?? null
}
