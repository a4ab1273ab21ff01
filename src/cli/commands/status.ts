import { parseId } from '../../config/job-id.ts'
import { CronwrapError, messageOf } from '../../errors.ts'
import { toLocalIso } from '../../platform/clock.ts'
import { groupBy } from '../../platform/group-by.ts'
import { formatDuration } from '../../platform/duration.ts'
import { deriveAlerts, type Alert } from '../../record/alerts.ts'
import { logPath } from '../../record/execution-log.ts'
import { describeEnd, printable } from '../../record/outcome-text.ts'
import { listRunning, readRuns, readSummary, sweepBeforeReading } from '../../record/read-records.ts'
import { unknownJob } from '../../record/record-delivery.ts'
import type { SummaryEntry } from '../../record/summary-entry.ts'
import { JSON_FLAG, type Command, type CommandInput } from '../command.ts'
import { describeJob, deliveryState, medianDurationMs, startsOf, type JobStatus } from '../job-status.ts'
import { count, createColors, describeAge, formatTable, print, printJson } from '../output.ts'
import { cpuText, memoryText, runsTable } from './runs.ts'

const RUNS_SHOWN = 10

export const statusCommand: Command = {
  name: 'status',
  usage: '[job]',
  description: 'Show how each job is doing, or one job and its last 10 runs',
  flags: new Map([
    ['failed', { takesValue: false, description: 'Only jobs where something is wrong' }],
    ['exit-code', { takesValue: false, description: 'Exit with 1 if something is wrong' }],
    ['json', JSON_FLAG],
  ]),
  examples: ['cronwrap status', 'cronwrap status backup', 'cronwrap status --failed --exit-code'],
  positionals: [0, 1],
  async run(input) {
    const { home, flags, now, positionals } = input
    if (positionals[0] !== undefined && flags.has('failed'))
      throw new CronwrapError('USAGE', '--failed goes with the list of all jobs only')
    await sweepBeforeReading(home)
    const statuses = readStatuses(input)
    const shown = statuses.filter((status) => flags.get('failed') !== 'true' || status.wrong)
    if (positionals[0] !== undefined) await showJob(input, parseId(positionals[0]), statuses)
    else if (flags.get('json') === 'true') printJson(shown.map((status) => describeJob(status, now)))
    else if (statuses.length === 0) print(`no runs are on record in ${home.base}`)
    else if (shown.length === 0) print('all jobs are well')
    else print(await statusTable(shown, now))
    const counted = positionals[0] === undefined ? statuses : statuses.filter(({ job }) => job === positionals[0])
    return flags.get('exit-code') === 'true' && counted.some(({ wrong }) => wrong) ? 1 : 0
  },
}

function readStatuses({ home, now }: CommandInput): JobStatus[] {
  const summary = readSummary(home)
  const running = groupBy(listRunning(home), ({ manifest }) => manifest.job)
  const alerts = deriveAlerts(summary, now)
  const jobs = [...new Set([...summary.keys(), ...running.keys()])].sort()
  return jobs.map((job) => {
    const entry = summary.get(job) ?? null
    const own = alerts.filter((alert) => alert.job_id === job)
    const failed = entry?.last_status === 'error'
    return { job, entry, running: running.get(job) ?? [], alerts: own, wrong: failed || own.length > 0 }
  })
}

async function statusTable(statuses: readonly JobStatus[], now: Date): Promise<string> {
  const colors = createColors()
  const heading = ['JOB', 'LAST RUN', 'STATUS', 'DURATION', 'STREAK', 'RUNS', 'DELIVERY'].map((text) =>
    colors.bold(text),
  )
  const rows = statuses.map((status) => [
    status.job,
    status.entry?.last_run ? describeAge(status.entry.last_run, now) : 'never',
    statusCell(status, now),
    durationCell(status.entry),
    streakCell(status.entry),
    String(status.entry?.total_runs ?? 0),
    deliveryCell(status.entry, now),
  ])
  return formatTable([heading, ...rows])
}

function statusCell({ entry, running, alerts }: JobStatus, now: Date): string {
  const colors = createColors()
  const first = running[0]
  const open = alerts.some((each) => !each.acknowledged)
  const parts = [
    `${lastEnd(entry)}${open ? colors.red(' !') : ''}`.trim(),
    ...['missed', 'slow'].filter((kind) => alerts.some((each) => each.kind === kind)).map(colors.red),
    first === undefined ? '' : colors.cyan(`running since ${describeAge(first.manifest.started, now)}`),
  ].filter((part) => part !== '')
  return parts.length === 0 ? '-' : parts.join(', ')
}

/** Empty before the first run has ended. */
function lastEnd(entry: SummaryEntry | null): string {
  if (entry === null || entry.last_reason === null) return entry?.last_status ?? ''
  const colors = createColors()
  const end = describeEnd({ reason: entry.last_reason, exit_code: entry.last_exit_code, signal: entry.last_signal })
  return entry.last_status === 'success' ? colors.green(`ok (${end})`) : colors.red(`failed (${end})`)
}

function durationCell(entry: SummaryEntry | null): string {
  if (entry === null || entry.last_duration_ms === null) return '-'
  const median = medianDurationMs(entry)
  const compared = median === null ? '' : ` (median ${formatDuration(median)})`
  return `${formatDuration(entry.last_duration_ms)}${compared}`
}

function streakCell(entry: SummaryEntry | null): string {
  if (entry === null || entry.total_runs === 0) return '-'
  return entry.consecutive_errors > 0 ? `${entry.consecutive_errors} failed` : `${entry.consecutive_success} ok`
}

function deliveryCell(entry: SummaryEntry | null, now: Date): string {
  const colors = createColors()
  const state = deliveryState(entry, now)
  return state === 'missing' || state === 'failed' ? colors.red(state) : state
}

async function showJob({ home, flags, now }: CommandInput, job: string, statuses: readonly JobStatus[]): Promise<void> {
  const status = statuses.find((each) => each.job === job)
  if (status === undefined)
    throw unknownJob(
      job,
      statuses.map((each) => each.job),
    )
  const runs = readRuns(home, job).slice(-RUNS_SHOWN)
  if (flags.get('json') === 'true') {
    printJson({ ...describeJob(status, now), recent_runs: runs })
    return
  }
  const { entry } = status
  line('job', job)
  line('status', statusCell(status, now))
  if (entry?.last_run) line('last run', `${entry.last_run} (${describeAge(entry.last_run, now)})`)
  line('duration', durationCell(entry))
  if (entry?.last_run)
    line('used', `${cpuText(entry.last_cpu_ms)} of CPU, ${memoryText(entry.last_max_memory_bytes)} of memory`)
  if (entry?.schedule) line('schedule', await describeSchedule(entry, status.running, now))
  line(
    'runs',
    `${entry?.total_runs ?? 0} in all, ${entry?.total_errors ?? 0} failed, ${entry?.skipped_runs ?? 0} skipped`,
  )
  line('streak', streakCell(entry))
  if (entry?.last_error) line('last error', printable(entry.last_error))
  if (entry?.last_success) line('last ok', `${entry.last_success} (${describeAge(entry.last_success, now)})`)
  line('delivery', describeDelivery(entry, now))
  for (const alert of status.alerts) line('alert', describeAlert(alert))
  line('log', logPath(home, job))
  if (runs.length > 0) print(`\n${await runsTable(runs, now)}`)
}

/** What says when it is due is loaded only where something does. */
async function describeSchedule(entry: SummaryEntry, running: JobStatus['running'], now: Date): Promise<string> {
  const { schedule, missed_runs: missed } = entry
  if (schedule === null) return 'none'
  const { nextDue } = await import('../../schedule/timetable.ts')
  const zone = schedule.tz === null ? '' : ` ${schedule.tz}`
  const text = `${schedule.expression}${zone}, grace ${formatDuration(schedule.grace_ms)}; ${count(missed, 'run')} missed`
  try {
    const next = nextDue(schedule, startsOf(entry, running), now)
    return next === null ? text : `${text}; next ${toLocalIso(next)}`
  } catch (error) {
    return `${text}; ${messageOf(error)}`
  }
}

function describeDelivery(entry: SummaryEntry | null, now: Date): string {
  const last = entry?.last_delivery
  const state = deliveryState(entry, now)
  if (!last) return state
  const error = last.error === null ? '' : `, ${printable(last.error)}`
  return `${state}; last: ${last.status} ${last.time} message ${printable(last.message_id)}${error}`
}

function describeAlert(alert: Alert): string {
  return `${alert.message}${alert.acknowledged ? ' (acknowledged)' : ''}`
}

function line(name: string, value: string): void {
  print(`${`${name}:`.padEnd(12)}${value}`)
}
