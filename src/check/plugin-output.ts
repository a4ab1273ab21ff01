import { isCritical, type Alert } from '../record/alerts.ts'
import type { SummaryEntry } from '../record/summary-entry.ts'
import type { Summary } from '../record/summary.ts'
import { firstFew, printable } from '../record/outcome-text.ts'
import type { Problem } from './check.ts'

/** Exit codes of the monitoring plugins guidelines (monitoring-plugins.org), which Nagios and Icinga read. */
export const PLUGIN_STATES = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const
export type PluginState = (typeof PLUGIN_STATES)[number]

export interface CheckReport {
  readonly summary: Summary
  /** The job of each run in progress. */
  readonly running: readonly string[]
  readonly alerts: readonly Alert[]
  readonly problems: readonly Problem[]
}

export interface PluginOutput {
  readonly state: PluginState
  readonly text: string
}

/**
 * What a plugin prints: one line that says it all, performance data behind a bar, then a line for
 * each problem. What somebody has acknowledged is a warning at most. Pure.
 * @param job the only job that is asked for
 */
export function formatPluginOutput(result: CheckReport, job: string | null): PluginOutput {
  const { alerts, problems } = ofJob(result, job)
  const lines = [...alerts.map(describeAlert), ...problems.map(describeProblem)].map(withoutBar)
  const state = stateOf(alerts, problems)
  const [first = '', ...more] = lines
  const told =
    lines.length === 0
      ? allWell(result, job)
      : more.length === 0
        ? first
        : `${lines.length} problems: ${headline(alerts, problems)}`
  const head = `CRONWRAP ${state} - ${told} | ${performanceData(result, alerts, job)}`
  return { state, text: [head, ...(lines.length > 1 ? lines : [])].join('\n') }
}

/** What is said of one job, or all that is said. */
export function ofJob({ alerts, problems }: CheckReport, job: string | null): Pick<CheckReport, 'alerts' | 'problems'> {
  if (job === null) return { alerts, problems }
  return {
    alerts: alerts.filter((alert) => alert.job_id === job),
    problems: problems.filter((problem) => problem.job === null || problem.job === job),
  }
}

function stateOf(alerts: readonly Alert[], problems: readonly Problem[]): PluginState {
  if (alerts.some(({ kind, acknowledged }) => isCritical(kind) && !acknowledged)) return 'CRITICAL'
  return alerts.length + problems.length === 0 ? 'OK' : 'WARNING'
}

function allWell({ summary, running }: CheckReport, job: string | null): string {
  if (job === null && summary.size === 0) return 'no job is on record yet'
  if (job === null) {
    const failed = failedLast(summary)
    const also = failed.length === 0 ? '' : `; the last run failed of ${firstFew(failed)}`
    return `no alerts in ${summary.size} ${summary.size === 1 ? 'job' : 'jobs'}${also}`
  }
  const entry = summary.get(job)
  const last = entry?.last_run ?? null
  if (entry?.last_status === 'error') return `${job} has no alert yet, ${entry.consecutive_errors} failed in a row`
  if (last !== null) return `${job} is well, the last run began ${last}`
  return running.includes(job) ? `${job} runs for the first time` : `${job} is well and has not run yet`
}

/** Jobs whose last run failed, be that an alert already or not. */
function failedLast(summary: Summary): string[] {
  return [...summary].filter(([, { last_status }]) => last_status === 'error').map(([job]) => job)
}

/** Whose they are. */
function headline(alerts: readonly Alert[], problems: readonly Problem[]): string {
  const counts = new Map<string, number>()
  for (const job of [...alerts.map(({ job_id }) => job_id), ...problems.map((problem) => problem.job ?? 'cronwrap')])
    counts.set(job, (counts.get(job) ?? 0) + 1)
  return firstFew([...counts].map(([job, count]) => (count === 1 ? job : `${job} (${count})`)))
}

function describeAlert({ job_id, message, last_error, acknowledged }: Alert): string {
  const why = last_error === null ? '' : `: ${printable(last_error)}`
  return `${job_id}: ${message}${why}${acknowledged ? ' (acknowledged)' : ''}`
}

export function describeProblem({ job, text }: Problem): string {
  return printable(job === null ? text : `${job}: ${text}`)
}

/** A bar begins the performance data. */
function withoutBar(text: string): string {
  return text.replaceAll('|', '¦')
}

function performanceData({ summary, running }: CheckReport, alerts: readonly Alert[], job: string | null): string {
  const entry = job === null ? undefined : summary.get(job)
  const values =
    job === null
      ? ofAllJobs(summary, running, alerts)
      : ofOneJob(
          entry,
          running.filter((name) => name === job),
        )
  return values.map(([label, value]) => `${label}=${value}`).join(' ')
}

function ofAllJobs(summary: Summary, running: readonly string[], alerts: readonly Alert[]): [string, string][] {
  const waiting = [...summary.values()].reduce((sum, { notifications }) => sum + notifications.length, 0)
  const jobsWith = (...kinds: readonly string[]): string =>
    String(new Set(alerts.filter(({ kind }) => kinds.includes(kind)).map(({ job_id }) => job_id)).size)
  return [
    ['jobs', String(summary.size)],
    ['running', String(running.length)],
    ['failing', String(failedLast(summary).length)],
    ['missed', jobsWith('missed')],
    ['slow', jobsWith('slow')],
    ['undelivered', jobsWith('undelivered', 'delivery_failed')],
    ['unnotified', jobsWith('notification_failed')],
    ['waiting', String(waiting)],
  ]
}

function ofOneJob(entry: SummaryEntry | undefined, running: readonly string[]): [string, string][] {
  const measured = [
    ['duration', entry?.last_duration_ms, seconds],
    ['cpu', entry?.last_cpu_ms, seconds],
    ['memory', entry?.last_max_memory_bytes, bytes],
  ] as const
  return [
    ['running', String(running.length)],
    ['errors', String(entry?.consecutive_errors ?? 0)],
    ['missed', String(entry?.consecutive_missed ?? 0)],
    ...measured.flatMap(([label, value, format]): [string, string][] =>
      typeof value === 'number' ? [[label, format(value)]] : [],
    ),
  ]
}

function seconds(ms: number): string {
  return `${ms / 1000}s`
}

function bytes(value: number): string {
  return `${value}B`
}
