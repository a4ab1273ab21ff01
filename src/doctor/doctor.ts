import type { Home } from '../config/base-directory.ts'
import type { OpenclawJob } from '../openclaw/openclaw-job.ts'
import { lintJobs } from '../openclaw/lint.ts'
import { recordsAs } from '../openclaw/mirror-delivery.ts'
import { findWrapped } from '../openclaw/wrapped-command.ts'
import { listRunning, readRuns, readSummary, sweepBeforeReading } from '../record/read-records.ts'
import { unknownJob } from '../record/record-delivery.ts'
import type { Summary } from '../record/summary.ts'
import { checkBase } from './check-base.ts'
import { checkCrontab, readCrontab } from './check-crontab.ts'
import { checkEnvironment } from './check-environment.ts'
import { checkJob } from './check-job.ts'
import type { Finding } from './finding.ts'
import { viewOpenclaw, type OpenclawView } from './openclaw-view.ts'

export interface Diagnosis {
  readonly findings: readonly Finding[]
  /** What was looked at, in words. */
  readonly looked: readonly string[]
}

/**
 * Looks at everything, or at one job and what it depends on. Lost runs are recorded, as every command that shows
 * something does; nothing else is changed.
 * @throws CronwrapError `UNKNOWN_JOB`; an errno error where the base directory cannot be read
 */
export async function diagnose(home: Home, job: string | null, now: Date, env: NodeJS.ProcessEnv): Promise<Diagnosis> {
  const base = checkBase(home, now)
  await sweepBeforeReading(home)
  const [environment, crontab, openclaw] = await Promise.all([checkEnvironment(env), readCrontab(), viewOpenclaw()])
  const summary = readSummary(home)
  const jobs = job === null ? allJobs(summary, openclaw) : [job]
  if (job !== null && !summary.has(job) && !isAtOpenclaw(openclaw, job) && !isRunning(home, job))
    throw unknownJob(job, [...summary.keys()])
  const perJob = await Promise.all(jobs.map((each) => checkOne(home, each, summary, openclaw, now)))
  const gone = job === null || openclaw === null ? [] : goneFinding(job, openclaw, crontab)
  return {
    findings: [
      ...base,
      ...environment,
      ...checkCrontab(job === null ? crontab : crontab.filter((line) => line.includes(job))),
      ...(openclaw?.findings ?? []),
      ...(openclaw === null || job !== null ? [] : lintFindings(openclaw)),
      ...perJob.flat(),
      ...gone,
    ],
    looked: [
      `base directory ${home.base}`,
      'Node and PATH under cron and in a login shell',
      `${crontab.length === 0 ? 'no' : 'the'} crontab`,
      openclaw === null ? 'no openclaw on the PATH' : `OpenClaw${openclaw.gatewayDown ? ' without its gateway' : ''}`,
      jobs.length === 1 ? `job ${jobs[0] ?? ''}` : `${jobs.length} jobs`,
    ],
  }
}

function allJobs(summary: Summary, openclaw: OpenclawView | null): string[] {
  const wrapped = (openclaw?.jobs ?? []).flatMap((each) => findWrapped(each)?.job ?? [])
  return [...new Set([...summary.keys(), ...wrapped])].sort()
}

function jobAt(openclaw: OpenclawView, job: string): OpenclawJob | null {
  return openclaw.jobs.find((each) => recordsAs(each, job)) ?? null
}

function isAtOpenclaw(openclaw: OpenclawView | null, job: string): boolean {
  return openclaw !== null && jobAt(openclaw, job) !== null
}

function isRunning(home: Home, job: string): boolean {
  return listRunning(home).some(({ manifest }) => manifest.job === job)
}

async function checkOne(
  home: Home,
  job: string,
  summary: Summary,
  openclaw: OpenclawView | null,
  now: Date,
): Promise<Finding[]> {
  const known = openclaw === null ? null : jobAt(openclaw, job)
  const runs = openclaw === null || known === null ? [] : await openclaw.runsOf(known)
  return checkJob({
    job,
    entry: summary.get(job) ?? null,
    recorded: readRuns(home, job),
    isRunning: isRunning(home, job),
    openclaw: openclaw === null ? null : { job: known, runs },
    now,
  })
}

/** Asked about one job only: most jobs belong to cron or systemd and were never at OpenClaw. */
function goneFinding(job: string, openclaw: OpenclawView, crontab: readonly string[]): Finding[] {
  if (openclaw.gatewayDown || jobAt(openclaw, job) !== null || crontab.some((line) => line.includes(job))) return []
  const seen = 'known here, gone there: neither OpenClaw nor the crontab has the job'
  const means = 'jobs have vanished in upgrades of OpenClaw; a systemd timer would not be seen here'
  return [{ id: 'gone-from-openclaw', severity: 'warning', job, seen, means, next: 'openclaw cron list --all' }]
}

function lintFindings(openclaw: OpenclawView): Finding[] {
  if (openclaw.gatewayDown) return []
  const errors = lintJobs(openclaw.jobs, { isLocal: true }).filter(({ severity }) => severity === 'error')
  return errors.map(({ rule, job, seen, why, fix }) => ({
    id: `lint-${rule}`,
    severity: 'warning',
    job,
    seen,
    means: why,
    next: fix,
  }))
}
