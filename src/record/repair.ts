import * as fs from 'node:fs'
import type { Home } from '../config/base-directory.ts'
import { CronwrapError } from '../errors.ts'
import { removeStaleTemporaries } from '../platform/atomic-file.ts'
import { readHistory } from './journal-reader.ts'
import { listSegments } from './journal-segment.ts'
import { foldIntoViews } from './publish.ts'
import { readSummaryFile } from './summary.ts'
import { sweepLostRuns } from './sweep.ts'

export interface RepairReport {
  readonly segments: number
  readonly events: number
  /** Lines of the journal that are no events: torn by a crash, or not ours. */
  readonly skippedLines: number
  readonly jobs: number
  /** What was found where the summary should be. */
  readonly summaryWas: 'valid' | 'missing' | 'broken'
  readonly lostRuns: readonly string[]
  readonly removedTemporaries: number
  /** What could not be recorded. */
  readonly problems: readonly string[]
}

/**
 * Makes the views again from the journal, records runs whose wrapper was killed, and clears what
 * killed writers left. The summary that was there is kept aside when it is broken or differs.
 * @throws CronwrapError `CANNOT_RECORD`
 */
export async function repair(home: Home, now: Date): Promise<RepairReport> {
  if (!isDirectory(home.logs))
    throw new CronwrapError('CANNOT_READ', `${home.logs} does not exist: nothing has been recorded here`)
  const { recorded: lostRuns, problems } = await sweepLostRuns(home, { now })
  const summaryWas = readSummaryFile(home.summary).kind
  const result = await foldIntoViews(home, { now: () => now, fromScratch: true })
  if (result.kind === 'failed') throw result.error
  if (result.kind === 'deferred') {
    throw new CronwrapError('CANNOT_RECORD', 'another process holds the lock on the summary', {
      hint: 'try again in a few seconds',
    })
  }
  const { events, skippedLines } = readHistory(home)
  const after = readSummaryFile(home.summary)
  return {
    segments: listSegments(home).length,
    events: events.length,
    skippedLines,
    jobs: after.kind === 'valid' ? after.summary.size : 0,
    summaryWas,
    lostRuns,
    problems,
    removedTemporaries: removeStaleTemporaries(home.logs, 60_000, now),
  }
}

/** @throws when it cannot be looked at */
function isDirectory(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
