import * as fs from 'node:fs'
import { join } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { CronwrapError, messageOf } from '../errors.ts'
import { readBounded, replaceFile } from '../platform/atomic-file.ts'
import { makeDirectory } from '../platform/make-directory.ts'
import { toLocalIso } from '../platform/clock.ts'
import type { JobEvent } from '../record/event.ts'
import { foldIntoViews, publishAll } from '../record/publish.ts'
import { listRunning, readSummary } from '../record/read-records.ts'
import { sweepLostRuns } from '../record/sweep.ts'
import { findConfigSchedules } from './config-schedules.ts'
import { findMissedRuns } from './find-missed-runs.ts'
import { findSlowRuns } from './find-slow-runs.ts'

/** What keeps the pass from looking at everything, in one sentence; about one job, or about all. */
export interface Problem {
  readonly job: string | null
  readonly text: string
}

const MAX_MARK_BYTES = 100

/**
 * One pass over everything: records runs that were lost, takes up what cronwrap.json says of when
 * jobs are due, notes the runs that were missed and those that are slow, and brings the views up to
 * date. Several at once find the same facts, and the journal counts each once.
 * @throws CronwrapError `CANNOT_READ` where there is no record
 */
export async function check(home: Home, now: Date): Promise<Problem[]> {
  if (!fs.existsSync(home.logs) && !fs.existsSync(home.config)) {
    throw new CronwrapError('CANNOT_READ', `nothing is on record in ${home.base}`, {
      hint: 'name the base directory with --home or CRONWRAP_HOME',
    })
  }
  makeDirectory(home.logs)
  const swept = await sweepLostRuns(home, { now })
  const config = findConfigSchedules(home, readSummary(home), now)
  const unset = await record(home, config.events, now)
  const summary = readSummary(home)
  const running = listRunning(home).map(({ manifest }) => manifest)
  const missed = findMissedRuns({ home, summary, running, checkedMs: lastCheckMs(home, now), now })
  const unrecorded = await record(home, [...missed.events, ...findSlowRuns(summary, running, now)], now)
  if (unrecorded.length === 0) markChecked(home, new Date(missed.checkedMs))
  return [
    ...[...swept.problems, ...config.warnings, ...unset, ...unrecorded].map((text) => ({ job: null, text })),
    ...[...missed.problems].map(([job, text]) => ({ job, text })),
  ]
}

/** @returns why it could not be recorded, if so */
async function record(home: Home, events: readonly JobEvent[], now: Date): Promise<string[]> {
  try {
    const clock = { now: () => now }
    const result = events.length === 0 ? await foldIntoViews(home, clock) : await publishAll(home, events, clock)
    return result.kind === 'failed' ? [`the views could not be updated: ${messageOf(result.error)}`] : []
  } catch (error) {
    return [`what was found could not be recorded: ${messageOf(error)}`]
  }
}

/**
 * Up to when a pass has looked at everything. Only tells how far back the next one must look: without
 * it that one reads the whole journal.
 */
function lastCheckMs(home: Home, now: Date): number | null {
  try {
    const text = readBounded(markPath(home), MAX_MARK_BYTES)?.toString('utf8').trim() ?? ''
    const checkedMs = Date.parse(text)
    // After the clock was set back it says nothing.
    return checkedMs <= now.getTime() ? checkedMs : null
  } catch {
    return null
  }
}

function markChecked(home: Home, now: Date): void {
  try {
    replaceFile(markPath(home), `${toLocalIso(now, 'milliseconds')}\n`)
  } catch {
    // Then the next pass has more to look at.
  }
}

function markPath(home: Home): string {
  return join(home.logs, '.checked')
}
