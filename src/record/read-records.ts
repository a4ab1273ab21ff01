import { join } from 'node:path'
import { resolveHome, type Home } from '../config/base-directory.ts'
import { readBounded } from '../platform/atomic-file.ts'
import { listDirectory } from '../platform/list-directory.ts'
import { isRunId } from '../platform/run-id.ts'
import { deriveAlerts, formatAlerts, type Alert } from './alerts.ts'
import type { RunFinished } from './event.ts'
import { projectSummary, readHistory, seeLimit, type Projection } from './journal-reader.ts'
import { readManifest, type RunManifest } from './spool.ts'
import type { SummaryEntry } from './summary-entry.ts'
import { MAX_VIEW_BYTES, readSummaryFile, type Summary } from './summary.ts'
import { foldIntoViews } from './publish.ts'
import { isGone, runIdIn, sweepLostRuns } from './sweep.ts'

/** Who only reads does not wait long for those who write. */
const READER_BUDGET_MS = 1_000

export interface ReadOptions {
  /** The base directory; found as the command line does it when missing. */
  readonly home?: string
  readonly env?: NodeJS.ProcessEnv
}

/**
 * All that is known of each job, by job id: the summary with whatever the journal holds beyond it.
 * Writes nothing, takes no lock. A directory that does not exist has no jobs.
 */
export function getSummary(options: ReadOptions = {}): Record<string, SummaryEntry> {
  return Object.fromEntries(readSummary(resolveHome(options.home, options.env ?? process.env)))
}

/** What is wrong at this moment, by job id. As `getSummary`, writes nothing. */
export function getAlerts(options: ReadOptions & { readonly now?: Date } = {}): Alert[] {
  return deriveAlerts(readSummary(resolveHome(options.home, options.env ?? process.env)), options.now ?? new Date())
}

export function readSummary(home: Home): Summary {
  return readProjection(home).summary
}

/** The summary, and how far the journal was read for it. */
export function readProjection(home: Home): Projection {
  const file = readSummaryFile(home.summary)
  return projectSummary(home, file.kind === 'valid' ? file.summary : null, seeLimit)
}

/** The runs of a job that ended, oldest first, as far back as the journal goes. */
export function readRuns(home: Home, job: string): RunFinished[] {
  return readAllRuns(home).filter((run) => run.job === job)
}

/** The same of all jobs. */
export function readAllRuns(home: Home): RunFinished[] {
  return readHistory(home).events.flatMap(({ event }) => (event.type === 'run.finished' ? [event] : []))
}

export interface RunningRun {
  readonly directory: string
  readonly manifest: RunManifest
}

/** Runs whose wrapper is alive, as far as can be seen. */
export function listRunning(home: Home): RunningRun[] {
  const now = new Date()
  return listDirectory(home.running)
    .filter(isRunId)
    .flatMap((name) => {
      const directory = join(home.running, name)
      try {
        const manifest = readManifest(directory)
        return manifest !== null && !isGone(manifest, directory, now) ? [{ directory, manifest }] : []
      } catch {
        return [] // Another user's.
      }
    })
}

/** The runs in progress and those that are still to be recorded, by id; none that has left no spool. */
export function listSpooled(home: Home): ReadonlySet<string> {
  return new Set(listDirectory(home.running).map(runIdIn))
}

/**
 * Before anything is shown: records runs whose wrapper was killed, and brings the views up to date, where a message
 * may have become overdue since the last run. Where we may not write, that stays for later.
 */
export async function sweepBeforeReading(home: Home): Promise<void> {
  try {
    const now = new Date()
    const { recorded } = await sweepLostRuns(home, { now })
    const alerts = readBounded(home.alerts, MAX_VIEW_BYTES)?.toString('utf8')
    const stale = alerts !== undefined && alerts !== formatAlerts(deriveAlerts(readSummary(home), now))
    if (recorded.length > 0 || stale) await foldIntoViews(home, { now: () => now, budgetMs: READER_BUDGET_MS })
  } catch {
    // Reading must work in a directory that is read-only or full.
  }
}
