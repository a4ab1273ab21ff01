import { groupBy } from '../platform/group-by.ts'
import { ALERT_KINDS, type Alert } from '../record/alerts.ts'
import type { RunManifest } from '../record/spool.ts'
import { EMPTY_ENTRY, type SummaryEntry } from '../record/summary-entry.ts'
import type { Summary } from '../record/summary.ts'

/** One series: its labels tell it from the others of its family. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  /** One sentence without quotes or backslashes, which the two formats escape in different ways. */
  readonly help: string
  readonly samples: readonly Sample[]
}

/** What is on record at one moment. */
export interface Records {
  readonly summary: Summary
  readonly running: readonly RunManifest[]
  readonly alerts: readonly Alert[]
}

/** Who tells it: the machine, the program and the base directory. */
export interface Origin {
  readonly host: string
  readonly version: string
  readonly home: string
}

interface JobState {
  readonly entry: SummaryEntry
  readonly running: readonly RunManifest[]
  readonly alerts: readonly Alert[]
}

/** One value, several told apart by a label, or null for what is not known. */
type Reading = number | null | readonly Sample[]

interface JobMetric extends Omit<Family, 'samples'> {
  readonly read: (job: JobState) => Reading
}

/**
 * Every metric there is, each with one series per job that has a value for it. Pure.
 *
 * Series are told apart by job and host, and by short lists that are known beforehand: command lines, run ids and
 * message ids would be a new series each time.
 */
export function collectMetrics({ summary, running, alerts }: Records, { host, version, home }: Origin): Family[] {
  const runsOf = groupBy(running, ({ job }) => job)
  const alertsOf = groupBy(alerts, ({ job_id }) => job_id)
  const jobs = [...new Set([...summary.keys(), ...runsOf.keys()])].sort().map((job) => {
    const entry = summary.get(job) ?? EMPTY_ENTRY
    // A run may be on record before its marker is gone.
    const ended = new Set(entry.recent_runs.map(({ run_id }) => run_id))
    const going = (runsOf.get(job) ?? []).filter(({ run_id }) => !ended.has(run_id))
    return { labels: { job, host }, state: { entry, running: going, alerts: alertsOf.get(job) ?? [] } }
  })
  const families = JOB_METRICS.map(({ name, type, help, read }) => ({
    name: `cronwrap_job_${name}`,
    type,
    help,
    samples: jobs.flatMap(({ labels, state }) => toSamples(labels, read(state))),
  }))
  // Two users of one machine have a base directory each: without it these would be one series told twice.
  const info = { labels: { version, host, home }, value: 1 }
  return [{ name: 'cronwrap_info', type: 'gauge', help: 'The cronwrap that wrote this.', samples: [info] }, ...families]
}

const JOB_METRICS: readonly JobMetric[] = [
  gauge('last_run_timestamp_seconds', 'When the last run that ended had started.', ({ entry }) =>
    toSeconds(entry.last_run),
  ),
  gauge('last_finish_timestamp_seconds', 'When the last run ended.', ({ entry }) => toSeconds(entry.last_finished)),
  gauge('last_success_timestamp_seconds', 'When the last run that succeeded had started.', ({ entry }) =>
    toSeconds(entry.last_success),
  ),
  gauge('last_duration_seconds', 'How long the last run took.', ({ entry }) => fromMs(entry.last_duration_ms)),
  gauge('last_exit_code', 'The exit code of the last run; 128+n for signal n.', ({ entry }) => entry.last_exit_code),
  gauge('last_status', 'Whether the last run succeeded: 1, or 0.', ({ entry }) =>
    entry.last_status === null ? null : Number(entry.last_status === 'success'),
  ),
  gauge('last_cpu_seconds', 'Time on the processor of the last run, with its descendants.', ({ entry }) =>
    fromMs(entry.last_cpu_ms),
  ),
  gauge(
    'last_max_memory_bytes',
    'The most memory that was seen of the last run, with its descendants.',
    ({ entry }) => entry.last_max_memory_bytes,
  ),
  gauge('running', 'Runs in progress.', ({ running }) => running.length),
  gauge('running_since_timestamp_seconds', 'When the oldest run in progress started.', ({ running }) =>
    running.length === 0 ? null : Math.min(...running.map(({ started }) => Date.parse(started) / 1000)),
  ),
  gauge('consecutive_successes', 'Successes in a row.', ({ entry }) => entry.consecutive_success),
  gauge('consecutive_errors', 'Failures in a row.', ({ entry }) => entry.consecutive_errors),
  gauge(
    'consecutive_missed',
    'Times in a row at which the job was due and did not start.',
    ({ entry }) => entry.consecutive_missed,
  ),
  counter('runs_total', 'Runs that ended.', ({ entry }) => entry.total_runs),
  counter('errors_total', 'Runs that failed.', ({ entry }) => entry.total_errors),
  counter('skipped_total', 'Runs left out because another one was going.', ({ entry }) => entry.skipped_runs),
  counter('missed_total', 'Times at which the job was due and did not start.', ({ entry }) => entry.missed_runs),
  counter('deliveries_total', 'Messages of the job that were sent, or failed.', ({ entry }) => [
    { labels: { status: 'sent' }, value: entry.deliveries_sent },
    { labels: { status: 'failed' }, value: entry.deliveries_failed },
  ]),
  gauge('delivery_awaited', 'Whether a success is owed a message: 1, or 0.', ({ entry }) =>
    Number(entry.awaiting_delivery_since !== null),
  ),
  gauge(
    'notifications_pending',
    'Notifications of alerts that have not reached all their targets.',
    ({ entry }) => entry.notifications.length,
  ),
  gauge('alerts_open', 'Whether there is an alert of this kind: 1, or 0.', ({ alerts }) => countKinds(alerts)),
  gauge('alerts_acknowledged', 'Whether that alert is acknowledged: 1, or 0.', ({ alerts }) =>
    countKinds(alerts.filter(({ acknowledged }) => acknowledged)),
  ),
]

function gauge(name: string, help: string, read: JobMetric['read']): JobMetric {
  return { name, type: 'gauge', help, read }
}

function counter(name: string, help: string, read: JobMetric['read']): JobMetric {
  return { name, type: 'counter', help, read }
}

/** 0 is told as well: a series that comes and goes has no history to be looked at. */
function countKinds(alerts: readonly Alert[]): Sample[] {
  return ALERT_KINDS.map((kind) => ({
    labels: { kind },
    value: alerts.filter((alert) => alert.kind === kind).length,
  }))
}

function toSamples(labels: Sample['labels'], reading: Reading): readonly Sample[] {
  if (reading === null) return []
  if (typeof reading === 'number') return [{ labels, value: reading }]
  return reading.map((sample) => ({ labels: { ...labels, ...sample.labels }, value: sample.value }))
}

function toSeconds(iso: string | null): number | null {
  return iso === null ? null : Date.parse(iso) / 1000
}

function fromMs(durationMs: number | null): number | null {
  return durationMs === null ? null : durationMs / 1000
}
