import type { Home } from '../config/base-directory.ts'
import { lintJobs } from '../openclaw/lint.ts'
import { jobsRecordingAs, runsOfAll, viewOpenclaw, type OpenclawView } from '../openclaw/openclaw-view.ts'
import type { OpenclawJob } from '../openclaw/openclaw-job.ts'
import { groupBy } from '../platform/group-by.ts'
import { findWrapped } from '../openclaw/job-command.ts'
import type { RunFinished } from '../record/event.ts'
import { listRunning, readAllRuns, readSummary, sweepBeforeReading } from '../record/read-records.ts'
import { unknownJob } from '../record/record-delivery.ts'
import type { Summary } from '../record/summary.ts'
import { checkBase } from './check-base.ts'
import { checkConfig } from './check-config.ts'
import { checkCrontab, readCrontab, type Crontab } from './check-crontab.ts'
import { checkEnvironment } from './check-environment.ts'
import { checkJob } from './check-job.ts'
import { checkGateway } from './check-gateway.ts'
import type { Finding } from './finding.ts'

export interface Diagnosis {
  readonly findings: readonly Finding[]
  /** What was looked at, in words. */
  readonly looked: readonly string[]
}

interface Scene {
  readonly home: Home
  readonly summary: Summary
  readonly openclaw: OpenclawView | null
  readonly crontab: Crontab
  /** Of each job, oldest first. */
  readonly recorded: ReadonlyMap<string, readonly RunFinished[]>
  readonly running: ReadonlySet<string>
  readonly now: Date
}

/**
 * Looks at everything, or at one job and what it depends on. Lost runs are recorded, as every command that shows
 * something does; nothing else is changed.
 * @throws CronwrapError `UNKNOWN_JOB`; an errno error where the base directory cannot be read
 */
export async function diagnose(home: Home, job: string | null, now: Date, env: NodeJS.ProcessEnv): Promise<Diagnosis> {
  const base = checkBase(home, now)
  await sweepBeforeReading(home)
  const [crontab, openclaw] = await Promise.all([readCrontab(home.base), viewOpenclaw()])
  const running = new Set(listRunning(home).map(({ manifest }) => manifest.job))
  // Read once: the journal is large, and there may be many jobs.
  const recorded = groupBy(readAllRuns(home), (run) => run.job)
  const scene: Scene = { home, summary: readSummary(home), openclaw, crontab, recorded, running, now }
  const jobs = job === null ? allJobs(scene) : [job]
  if (job !== null && !isKnown(scene, job)) throw unknownJob(job, [...scene.summary.keys()])
  const perJob = await Promise.all(jobs.map((each) => checkOne(scene, each)))
  return {
    findings: [
      ...base,
      ...checkConfig(home, jobs, env),
      ...(await checkEnvironment(crontab, openclaw?.jobs ?? [], env)),
      ...crontab.findings,
      ...checkCrontab(crontab.lines, job),
      ...checkGateway(openclaw),
      ...perJob.flat(),
      ...(job === null ? [] : goneFinding(scene, job)),
    ],
    looked: [
      `base directory ${home.base}`,
      `${crontab.lines.length === 0 ? 'no' : 'the'} crontab`,
      openclaw === null
        ? 'no openclaw on the PATH'
        : `OpenClaw${openclaw.silence === null ? '' : ' without its gateway'}`,
      jobs.length === 1 ? `job ${jobs[0] ?? ''}` : `${jobs.length} jobs`,
    ],
  }
}

/** Those that are on record, those of OpenClaw that run under cronwrap, and those that the crontab names. */
function allJobs({ home, summary, openclaw, crontab }: Scene): string[] {
  const wrapped = (openclaw?.jobs ?? []).flatMap((each) => recordedHere(each, home))
  const unknown = openclaw?.silence === null ? [] : (openclaw?.jobs ?? []).map(({ name }) => name)
  const inCrontab = crontab.lines.flatMap(({ job }) => job ?? [])
  return [...new Set([...summary.keys(), ...wrapped, ...unknown, ...inCrontab])].sort()
}

function recordedHere(job: OpenclawJob, { base }: Home): string[] {
  const wrapped = findWrapped(job)
  return wrapped?.base === base ? [wrapped.job] : []
}

function isKnown({ summary, openclaw, crontab, running }: Scene, job: string): boolean {
  return (
    summary.has(job) ||
    crontab.lines.some((line) => line.job === job) ||
    (openclaw !== null && jobsRecordingAs(openclaw, job).length > 0) ||
    running.has(job)
  )
}

async function checkOne(
  { home, summary, openclaw, crontab, recorded, running, now }: Scene,
  job: string,
): Promise<Finding[]> {
  const known = openclaw === null ? [] : jobsRecordingAs(openclaw, job)
  const runs = openclaw === null || known.length === 0 ? [] : await runsOfAll(openclaw, known)
  const errors = openclaw?.silence === null ? lintJobs(known, { isLocal: true }) : []
  return [
    ...checkJob({
      job,
      base: home.base,
      entry: summary.get(job) ?? null,
      recorded: recorded.get(job) ?? [],
      isRunning: running.has(job),
      isInCrontab: crontab.lines.some((line) => line.job === job),
      openclaw: openclaw === null ? null : { job: known[0] ?? null, isDefined: openclaw.silence === null, runs },
      now,
    }),
    ...errors
      .filter(({ severity }) => severity === 'error')
      .map(({ rule, severity, seen, why, fix }) => ({
        id: `lint-${rule}`,
        severity,
        job,
        seen,
        means: why,
        next: fix,
      })),
  ]
}

/** Asked about one job only: most jobs belong to cron or systemd and were never at OpenClaw. */
function goneFinding({ openclaw, crontab, summary }: Scene, job: string): Finding[] {
  if (openclaw === null || openclaw.isPartial || jobsRecordingAs(openclaw, job).length > 0) return []
  if (!summary.has(job) || crontab.lines.some((line) => line.job === job)) return []
  const seen = 'known here, gone there: neither OpenClaw nor the crontab has the job'
  const means = 'jobs have vanished in upgrades of OpenClaw; a systemd timer would not be seen here'
  return [{ id: 'gone-from-openclaw', severity: 'note', job, seen, means, next: 'openclaw cron list --all' }]
}
