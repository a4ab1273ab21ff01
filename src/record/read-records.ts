import * as fs from 'node:fs'
import { join } from 'node:path'
import { resolveHome, type Home } from '../config/base-directory.ts'
import { livenessOf } from '../platform/process-identity.ts'
import { isRunId } from '../platform/run-id.ts'
import { deriveAlerts, type Alert } from './alerts.ts'
import type { RunFinished } from './event.ts'
import { projectSummary, readHistory } from './journal.ts'
import { readManifest, type RunManifest } from './spool.ts'
import { readSummaryFile, type Summary, type SummaryEntry } from './summary.ts'
import { sweepLostRuns } from './sweep.ts'

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
  const file = readSummaryFile(home.summary)
  return projectSummary(home, file.kind === 'valid' ? file.summary : null).summary
}

/** The runs of a job that ended, oldest first, as far back as the journal goes. */
export function readRuns(home: Home, job: string): RunFinished[] {
  return readHistory(home).events.flatMap(({ event }) =>
    event.type === 'run.finished' && event.job === job ? [event] : [],
  )
}

export interface RunningRun {
  readonly directory: string
  readonly manifest: RunManifest
}

/** Runs whose wrapper is alive. */
export function listRunning(home: Home): RunningRun[] {
  let names: string[]
  try {
    names = fs.readdirSync(home.running)
  } catch {
    return [] // Nothing has run here yet, or it is not ours to read.
  }
  return names.filter(isRunId).flatMap((name) => {
    const directory = join(home.running, name)
    const manifest = readManifest(directory)
    return manifest !== null && livenessOf(manifest) !== 'dead' ? [{ directory, manifest }] : []
  })
}

/** Before anything is shown: records runs whose wrapper was killed. Where we may not write, they stay for later. */
export async function sweepBeforeReading(home: Home): Promise<void> {
  try {
    await sweepLostRuns(home, { now: new Date() })
  } catch {
    // Reading must work in a directory that is read-only or full.
  }
}
