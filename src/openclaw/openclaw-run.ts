import type { RunFinished } from '../record/event.ts'
import { askOpenclaw, field, listIn, numberField, textField } from './openclaw-cli.ts'

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

export type RunsAnswer =
  | { readonly kind: 'runs'; readonly runs: readonly OpenclawRun[]; readonly gatewayDown: boolean }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly message: string }

/** The latest runs of a job, newest first. With the gateway down they are read from the task list, which needs none. */
export async function listRuns(jobId: string): Promise<RunsAnswer> {
  const answer = await askOpenclaw(['cron', 'runs', jobId, '--limit', '20', '--json'])
  if (answer.kind === 'absent') return answer
  if (answer.kind === 'answer')
    return { kind: 'runs', runs: newestFirst(listIn(answer.value, 'entries'), jobId), gatewayDown: false }
  const tasks = await askOpenclaw(['tasks', 'list', '--runtime', 'cron', '--json'])
  if (tasks.kind !== 'answer') return { kind: 'failed', message: answer.message }
  const details = listIn(tasks.value, 'tasks').map((task) => field(task, 'detail') ?? task)
  return { kind: 'runs', runs: newestFirst(details, jobId), gatewayDown: true }
}

function newestFirst(entries: readonly unknown[], jobId: string): OpenclawRun[] {
  return entries
    .map(readRun)
    .filter((run) => run !== null)
    .filter((run) => run.jobId === jobId)
    .sort((a, b) => b.startedMs - a.startedMs)
}

/** OpenClaw's clock is read a little before its child starts; a run in the background may end after it. */
const SLACK_MS = 2_000

/** The run of cronwrap that OpenClaw's run started, or null: the two share no id, only the time. */
export function recordedRunOf(run: OpenclawRun, recorded: readonly RunFinished[]): RunFinished | null {
  const within = recorded.filter(({ started }) => {
    const at = Date.parse(started)
    return at >= run.startedMs - SLACK_MS && at <= run.endedMs + SLACK_MS
  })
  return within.at(-1) ?? null
}
