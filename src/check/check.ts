import * as fs from 'node:fs'
import { join } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import { CronwrapError, errnoOf, messageOf } from '../errors.ts'
import { readBounded, replaceFile } from '../platform/atomic-file.ts'
import { makeDirectory } from '../platform/make-directory.ts'
import { toLocalIso } from '../platform/clock.ts'
import type { JobEvent } from '../record/event.ts'
import { foldIntoViews, publishAll } from '../record/publish.ts'
import { listRunning, readSummary } from '../record/read-records.ts'
import { sweepLostRuns } from '../record/sweep.ts'
import { takeUpConfigSchedules } from './config-schedules.ts'
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
  checkReadable(home)
  makeDirectory(home.logs)
  const swept = await sweepLostRuns(home, { now })
  const wrong = await attempt(() => takeUpConfigSchedules(home, now))
  const summary = readSummary(home)
  const running = listRunning(home).map(({ manifest }) => manifest)
  const missed = findMissedRuns({ home, summary, running, checkedMs: lastCheckMs(home, now), now })
  const unrecorded = await attempt(() => record(home, [...missed.events, ...findSlowRuns(summary, running, now)], now))
  if (unrecorded.length === 0) markChecked(home, new Date(missed.checkedMs))
  return [
    ...[...swept.problems, ...wrong, ...unrecorded].map((text) => ({ job: null, text })),
    ...[...missed.problems].map(([job, text]) => ({ job, text })),
  ]
}

/** Nothing at all is mostly the wrong directory, and what may not be read is not nothing. */
function checkReadable({ base, logs, config }: Home): void {
  const isThere = [logs, config].map((path) => {
    try {
      fs.accessSync(path, fs.constants.R_OK)
      return true
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false
      throw new CronwrapError('CANNOT_READ', `${base} cannot be read: ${messageOf(error)}`, {
        hint: 'run it as the user whose jobs these are, or name another base directory with --home',
      })
    }
  })
  if (isThere.includes(true)) return
  throw new CronwrapError('CANNOT_READ', `nothing is on record in ${base}`, {
    hint: 'name the base directory with --home or CRONWRAP_HOME',
  })
}

/** @returns what is wrong, and an error as one thing that is */
async function attempt(act: () => Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await act()
  } catch (error) {
    return [`what was found could not be recorded: ${messageOf(error)}`]
  }
}

/** Also where nothing was found: a message may have become overdue since the last fold. */
async function record(home: Home, events: readonly JobEvent[], now: Date): Promise<string[]> {
  const clock = { now: () => now }
  const result = events.length === 0 ? await foldIntoViews(home, clock) : await publishAll(home, events, clock)
  return result.kind === 'failed' ? [`the views could not be updated: ${messageOf(result.error)}`] : []
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
