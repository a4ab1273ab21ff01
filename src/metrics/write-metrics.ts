import * as fs from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { removeStaleTemporaries, replaceFile } from '../platform/atomic-file.ts'
import { deriveAlerts } from '../record/alerts.ts'
import { hasGrown } from '../record/journal-reader.ts'
import { listRunning, readProjection, type RunningRun } from '../record/read-records.ts'
import type { Summary } from '../record/summary.ts'
import { formatMetrics } from './format-metrics.ts'
import { collectMetrics } from './metrics.ts'

/** node_exporter runs as another user, and no output of a job is in it. */
const MODE = 0o644
/** Under a crowd without end somebody else writes last. */
const MOST_WRITES = 10
const ABANDONED_MS = 60_000

/** The metrics of all jobs as they are now, as text. */
export function readMetrics(home: Home, now: Date): string {
  // In this order: a run that ends in between is in both, and not in neither.
  const running = listRunning(home)
  return describe(home, running, readProjection(home).summary, now)
}

/**
 * Replaces the file by the metrics of all jobs; whoever reads it sees the old or the new ones. A new file can be read
 * by everybody, an existing one keeps its mode.
 *
 * Several may do so at once, and no lock says who is last: one that read before a run ended could replace what the
 * other wrote after it. So each looks once more at the journal after it has written, and writes again if it has grown.
 * @throws CronwrapError `CANNOT_RECORD`; an errno error where the record cannot be read
 */
export function writeMetrics(home: Home, path: string, now: Date): void {
  const mode = modeOf(path)
  for (let writes = 0; writes < MOST_WRITES; writes++) {
    const running = listRunning(home)
    const { summary, end } = readProjection(home)
    const text = describe(home, running, summary, now)
    try {
      replaceFile(path, text, { mode })
    } catch (error) {
      // Without the name of the temporary file.
      throw cannotWrite(path, messageOf(error).replace(/, \w+ '.*$/, ''), error)
    }
    if (!hasGrown(home, end)) break
  }
  tidy(path, now)
}

function describe(home: Home, running: readonly RunningRun[], summary: Summary, now: Date): string {
  const records = {
    summary,
    running: running.map(({ manifest }) => manifest),
    alerts: deriveAlerts(summary, now),
  }
  return formatMetrics(collectMetrics(records, { host: hostname(), version: CRONWRAP_VERSION, home: home.base }))
}

/** A rename would put a file in the place of /dev/null, or of a link that leads elsewhere. */
function modeOf(path: string): number {
  let stat: fs.Stats | undefined
  try {
    stat = fs.lstatSync(path, { throwIfNoEntry: false })
  } catch (error) {
    throw cannotWrite(path, messageOf(error), error)
  }
  if (stat === undefined) return MODE
  if (!stat.isFile()) throw cannotWrite(path, 'it is there and is no regular file')
  return stat.mode & 0o777
}

function tidy(path: string, now: Date): void {
  try {
    removeStaleTemporaries(dirname(path), ABANDONED_MS, now, basename(path))
  } catch {
    // Another user's.
  }
}

function cannotWrite(path: string, why: string, cause?: unknown): CronwrapError {
  return new CronwrapError('CANNOT_RECORD', `the metrics cannot be written to ${JSON.stringify(path)}: ${why}`, {
    hint: 'name a file in a directory that exists and that this user may write to',
    cause,
  })
}
