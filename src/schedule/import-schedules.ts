import { resolve } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { readConfigFile } from '../config/config-file.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { readSummary } from '../record/read-records.ts'
import type { CrontabForm } from './crontab.ts'
import { findInSystemCrontabs, findInUserCrontab, readCrontabFile } from './crontab-files.ts'
import type { Findings } from './found-schedule.ts'
import { findInOpenclaw } from './openclaw-jobs.ts'
import { planImport, type ImportPlan } from './plan-import.ts'
import { recordSchedules } from './record-schedule.ts'
import { findInTimers } from './systemd-timers.ts'

export interface ImportRequest {
  /** Say what would be learnt, and record nothing. */
  readonly dryRun: boolean
  /** Look at this crontab only; null: at all schedulers of this machine. */
  readonly file: { readonly path: string; readonly form: CrontabForm } | null
}

export interface ImportReport extends ImportPlan {
  /** The base directory that it is about. */
  readonly base: string
  /** Why not everything was looked at; one line each. */
  readonly unreadable: readonly string[]
}

/**
 * Learns from the schedulers of this machine when jobs are due. A schedule that a job's runs, cronwrap.json or a
 * person named is left alone; an imported one that nothing names any more goes, unless it came from a file that is
 * not looked at.
 * @throws CronwrapError `CANNOT_RECORD`, or `CANNOT_READ` for the one file that was asked for
 */
export async function importSchedules(home: Home, request: ImportRequest, now: Date): Promise<ImportReport> {
  const { found, unreadable } = request.file === null ? await findEverywhere() : findInOneFile(request.file)
  const file = request.file === null ? null : resolve(request.file.path)
  const settings = readConfigFile(home.config, []).jobs
  const configured = new Set([...settings].flatMap(([job, each]) => (each.has('schedule') ? [job] : [])))
  const look = { isComplete: unreadable.length === 0, file, configured }
  const plan = planImport(found, readSummary(home), home.base, look)
  const changes = plan.steps.flatMap(({ job, outcome, schedule }) => {
    if (outcome === 'forgotten') return [{ job, schedule: null }]
    return outcome === 'learnt' ? [{ job, schedule }] : []
  })
  if (!request.dryRun) await recordSchedules(home, changes, { source: 'import', file }, now)
  return { ...plan, base: home.base, unreadable }
}

/**
 * Forgets every schedule that was imported.
 * @throws CronwrapError `CANNOT_RECORD`
 */
export async function undoImport(home: Home, { dryRun }: { dryRun: boolean }, now: Date): Promise<ImportReport> {
  const imported = [...readSummary(home)].flatMap(([job, { schedule }]) =>
    schedule?.source === 'import' ? [{ job, schedule }] : [],
  )
  const changes = imported.map(({ job }) => ({ job, schedule: null }))
  if (!dryRun) await recordSchedules(home, changes, { source: 'import', file: null }, now)
  const steps = imported.map((each) => ({
    ...each,
    outcome: 'forgotten' as const,
    where: [],
    reason: 'it was imported',
  }))
  return { base: home.base, steps, unwrapped: [], unnamed: [], elsewhere: [], unclear: [], unreadable: [] }
}

async function findEverywhere(): Promise<Findings> {
  const others = [findInUserCrontab(), findInTimers('system'), findInTimers('user'), findInOpenclaw()]
  const all = [findInSystemCrontabs(), ...(await Promise.all(others))]
  return {
    found: all.flatMap(({ found }) => found),
    unreadable: all.flatMap(({ unreadable }) => unreadable),
  }
}

function findInOneFile({ path, form }: NonNullable<ImportRequest['file']>): Findings {
  try {
    return { found: readCrontabFile(path, form), unreadable: [] }
  } catch (error) {
    throw new CronwrapError('CANNOT_READ', `${path} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}
