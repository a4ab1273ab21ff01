import { deliveryStatusOf } from '../openclaw/mirror-delivery.ts'
import { runsCommand } from '../openclaw/lint-rules.ts'
import { effectiveTimeoutSeconds, type OpenclawJob } from '../openclaw/openclaw-job.ts'
import { recordedRunOf, type OpenclawRun } from '../openclaw/openclaw-run.ts'
import { findWrapped } from '../openclaw/job-command.ts'
import { formatDuration } from '../platform/duration.ts'
import { deriveAlerts, isUndelivered, type AlertKind } from '../record/alerts.ts'
import type { RunFinished } from '../record/event.ts'
import { describeEnd } from '../record/outcome-text.ts'
import type { SummaryEntry } from '../record/summary-entry.ts'
import { messageOf } from '../errors.ts'
import { readTimetable } from '../schedule/timetable.ts'
import type { Finding } from './finding.ts'

/** What is known of one job, here and at OpenClaw. */
export interface JobFacts {
  readonly job: string
  /** The base directory that is looked at. */
  readonly base: string
  readonly entry: SummaryEntry | null
  /** Oldest first. */
  readonly recorded: readonly RunFinished[]
  readonly isRunning: boolean
  readonly isInCrontab: boolean
  readonly openclaw: OpenclawFacts | null
  readonly now: Date
}

export interface OpenclawFacts {
  /** Null when it has no such job. */
  readonly job: OpenclawJob | null
  /** False while the gateway is silent: then only its name is known. */
  readonly isDefined: boolean
  /** Newest first; null when OpenClaw would not tell. */
  readonly runs: readonly OpenclawRun[] | null
}

type Told = readonly [id: string, severity: Finding['severity'], seen: string, means: string, next: string]

/** Did the script run, how did it end, was its message sent, does OpenClaw agree. Pure. */
export function checkJob(facts: JobFacts): Finding[] {
  const told = [
    ...checkRuns(facts),
    ...checkAlerts(facts),
    ...checkDelivery(facts),
    ...checkSchedule(facts),
    ...checkAgreement(facts),
  ]
  return told.map(([id, severity, seen, means, next]) => ({ id, severity, job: facts.job, seen, means, next }))
}

function checkRuns({ job, entry, isRunning, isInCrontab }: JobFacts): Told[] {
  if (entry === null || entry.last_run === null) {
    // What OpenClaw says of a job that never ran here is told below.
    if (isRunning || !isInCrontab) return []
    const means = 'its line is new, cron does not run, or the line fails before cronwrap starts'
    return [
      ['never-ran', 'warning', 'it is in the crontab, and nothing is on record', means, 'journalctl -t CRON -t crond'],
    ]
  }
  if (entry.last_status !== 'error') return []
  const end = describeEnd({
    reason: entry.last_reason ?? 'exit',
    exit_code: entry.last_exit_code,
    signal: entry.last_signal,
  })
  const seen = `the last run failed: ${end}; ${entry.consecutive_errors} in a row`
  const look = `cronwrap logs ${job} --failed`
  if (entry.last_reason === 'lost') {
    const means = 'cronwrap itself was killed, or the machine went down; the output so far is in the log'
    return [['run-lost', 'error', seen, means, look]]
  }
  const means = entry.last_error ?? 'it said nothing'
  return [['run-failed', 'error', seen, means, look]]
}

/** What only alerts know of; the others are told with more words below and above. */
const ALERTS_TOLD: Partial<Record<AlertKind, readonly [Finding['severity'], means: string, next: string]>> = {
  missed: [
    'error',
    'its scheduler did not start it, or its line fails before cronwrap starts',
    'cronwrap schedule import --dry-run',
  ],
  slow: ['warning', 'it may hang', 'cronwrap logs -f'],
  notification_failed: ['error', 'nobody hears of its alerts there', 'cronwrap notify test'],
}

function checkAlerts({ job, entry, now }: JobFacts): Told[] {
  if (entry === null) return []
  const unusable = whyUnusable(entry)
  if (unusable !== null)
    return [
      [
        'schedule-unusable',
        'warning',
        unusable,
        'nobody notices when it is missed',
        'mend it where it is said: --schedule and --tz of its runs, cronwrap.json, cronwrap schedule set',
      ],
    ]
  return deriveAlerts(new Map([[job, entry]]), now).flatMap(({ kind, message, last_error }): Told[] => {
    const told = ALERTS_TOLD[kind]
    if (told === undefined) return []
    const [severity, means, next] = told
    const seen = last_error === null ? message : `${message}: ${last_error}`
    return [[kind.replace('_', '-'), severity, seen, means, next.replace(/^cronwrap logs/, `cronwrap logs ${job}`)]]
  })
}

function whyUnusable({ schedule }: SummaryEntry): string | null {
  try {
    if (schedule !== null) readTimetable(schedule)
    return null
  } catch (error) {
    return messageOf(error)
  }
}

function checkDelivery({ job, entry, openclaw, now }: JobFacts): Told[] {
  if (entry === null) return []
  const delivery = entry.last_delivery
  if (entry.consecutive_delivery_failures > 0 && delivery !== null) {
    const seen = `the last delivery failed: ${delivery.error ?? 'no reason was given'}`
    return [
      [
        'delivery-failed',
        'error',
        seen,
        'the script ran; the channel did not take its message',
        `cronwrap logs ${job}`,
      ],
    ]
  }
  if (!isUndelivered(entry, now)) return []
  const means = 'the script is not the problem: whoever sends its message did not, or did not record it'
  const next = openclaw?.job ? `cronwrap delivery --from-openclaw ${job}` : `cronwrap delivery ${job} <message-id>`
  return [['undelivered', 'error', 'the run succeeded, no delivery was recorded', means, next]]
}

/** OpenClaw's own idea of when it should run, and of whether it does. */
function checkSchedule({ openclaw, now }: JobFacts): Told[] {
  const job = openclaw?.job
  if (!job?.enabled) return []
  const look = `openclaw cron runs ${job.id}`
  const limit = effectiveTimeoutSeconds(job)
  const told: Told[] = []
  if (job.nextRunMs !== null && job.runningSinceMs === null && now.getTime() - job.nextRunMs > OVERDUE_MS) {
    const seen = `OpenClaw was to run it ${formatDuration(now.getTime() - job.nextRunMs)} ago and did not`
    told.push([
      'openclaw-missed',
      'error',
      seen,
      'its scheduler stands still, or the gateway was stopped meanwhile',
      look,
    ])
  }
  if (job.runningSinceMs !== null && limit !== null && now.getTime() - job.runningSinceMs > limit * 1000 + OVERDUE_MS) {
    const seen = `OpenClaw has it running for ${formatDuration(now.getTime() - job.runningSinceMs)}`
    told.push([
      'openclaw-stuck',
      'error',
      seen,
      `it is allowed ${formatDuration(limit * 1000)}; it does not run again until that ends`,
      look,
    ])
  }
  return told
}

const OVERDUE_MS = 10 * 60_000

function checkAgreement({ job, base, entry, recorded, isRunning, openclaw }: JobFacts): Told[] {
  if (openclaw === null || openclaw.job === null) return []
  if (openclaw.runs === null) {
    const means = 'whether it agrees with what is on record here cannot be seen'
    return [
      ['openclaw-silent', 'warning', 'OpenClaw does not tell its runs', means, `openclaw cron runs ${openclaw.job.id}`],
    ]
  }
  const [latest] = openclaw.runs
  if (latest === undefined) return []
  const run = recordedRunOf(latest, recorded, openclaw.job)
  const elsewhere = findWrapped(openclaw.job)?.base ?? base
  const gaveWay = isRunning || recorded.some((each) => wasGoing(each, latest))
  if (run === null) return gaveWay || elsewhere !== base ? [] : neverStarted(openclaw, openclaw.job, latest)
  return [...contradiction(job, latest, run), ...missingId(job, entry, latest, run)]
}

function wasGoing({ started, time }: RunFinished, { startedMs }: OpenclawRun): boolean {
  return Date.parse(started) <= startedMs && Date.parse(time) >= startedMs
}

/** A run that gave way to another one need not be on record. */
function neverStarted({ isDefined }: OpenclawFacts, job: OpenclawJob, latest: OpenclawRun): Told[] {
  if (/exited with code 75\b/.test(latest.error ?? '')) return []
  const isWrapped = findWrapped(job) !== null
  if (isDefined && !isWrapped && !runsCommand(job)) return []
  if (isDefined && !isWrapped) {
    const means = 'nothing of it is on record here'
    return [['not-wrapped', 'warning', 'the job does not run under cronwrap', means, 'cronwrap openclaw lint']]
  }
  const how = `${latest.status}${latest.error === null ? '' : `: ${latest.error}`}`
  const means =
    job.payload === 'command'
      ? 'cronwrap or the command was not found: see its PATH'
      : job.payload === 'agentTurn'
        ? 'the agent answered without running the command'
        : 'the agent did not run the command, or it was not found'
  const seen = `OpenClaw ran the job (${how}) but the command never started`
  return [['command-never-started', 'error', seen, means, `openclaw cron runs ${job.id}`]]
}

function contradiction(job: string, latest: OpenclawRun, run: RunFinished): Told[] {
  const look = `cronwrap logs ${job} --run ${run.run_id}`
  if (latest.status === 'ok' && run.status === 'error') {
    const ended =
      run.reason === 'exit' ? `the command exited ${run.exit_code}` : `the command ended with ${describeEnd(run)}`
    const means = 'what was told to the user is not what happened: an agent turn loses the exit code'
    return [['openclaw-ok-command-failed', 'error', `OpenClaw says ok, ${ended}`, means, look]]
  }
  if (latest.status === 'error' && run.status === 'success' && !/exited with code 75\b/.test(latest.error ?? '')) {
    const seen = `OpenClaw says ${latest.error ?? 'error'}, the command succeeded`
    const means = 'the work is done; what came after it, mostly the delivery, failed'
    return [['openclaw-error-command-ok', 'error', seen, means, `openclaw cron runs ${latest.jobId}`]]
  }
  if (latest.error !== null && /timed out/.test(latest.error)) {
    const means = 'its output is lost there and nothing was sent; a --timeout below that of OpenClaw avoids it'
    return [['openclaw-timeout', 'warning', `OpenClaw ended it: ${latest.error}`, means, 'cronwrap openclaw lint']]
  }
  return []
}

function missingId(job: string, entry: SummaryEntry | null, latest: OpenclawRun, run: RunFinished): Told[] {
  const known = entry?.last_delivery?.run_id === run.run_id
  if (known || run.status === 'error') return []
  const status = deliveryStatusOf(latest)
  const mirror = `cronwrap delivery --from-openclaw ${job}`
  if (status === 'delivered') {
    const means = 'OpenClaw keeps no message id, so nobody can look the message up'
    return [['delivered-without-id', 'note', "delivered by OpenClaw's account, no message id", means, mirror]]
  }
  if (status !== 'failed') return []
  const seen = `OpenClaw could not deliver it: ${latest.deliveryError ?? 'no reason was given'}`
  return [['openclaw-not-delivered', 'error', seen, 'the script ran; the channel did not take its message', mirror]]
}
