import * as fs from 'node:fs'
import type { Home } from '../config/base-directory.ts'
import { CronwrapError, errnoOf, messageOf } from '../errors.ts'
import type { JobEvent } from '../record/event.ts'
import { foldIntoViews, publishAll } from '../record/publish.ts'
import { listRunning, listSpooled, readSummary } from '../record/read-records.ts'
import { sweepLostRuns } from '../record/sweep.ts'
import { takeUpConfigSchedules } from './config-schedules.ts'
import { findMissedRuns, type Missed } from './find-missed-runs.ts'
import { findSlowRuns, findVanishedRuns } from './find-slow-runs.ts'
import { readLookMarks, writeLookMarks, type LookMarks } from './look-marks.ts'

/** What keeps the pass from looking at everything, in one sentence; about one job, or about all. */
export interface Problem {
  readonly job: string | null
  readonly text: string
}

/**
 * One pass over everything: records runs that were lost, takes up what cronwrap.json says of when
 * jobs are due, notes the runs that were missed and those that are slow, and brings the views up to
 * date. Several at once find the same facts, and the journal counts each once.
 * @throws CronwrapError `CANNOT_READ` where there is no record
 */
export async function check(home: Home, now: Date): Promise<Problem[]> {
  checkReadable(home)
  const swept = await sweepLostRuns(home, { now })
  const wrong = await attempt(() => takeUpConfigSchedules(home, now))
  // In this order: a run that ends in between is in both, and not in neither.
  const running = listRunning(home).map(({ manifest }) => manifest)
  const spooled = listSpooled(home)
  const summary = readSummary(home)
  const marks = readLookMarks(home, now)
  const missed = findMissedRuns({ home, summary, running, marks, now })
  const slow = [...findSlowRuns(summary, running, now), ...findVanishedRuns(summary, spooled, now)]
  const unrecorded = await attempt(() => record(home, [...missed.events, ...slow], now))
  if (unrecorded.length === 0) remember(home, marks, missed)
  return [
    ...[...swept.problems, ...wrong, ...unrecorded].map((text) => ({ job: null, text })),
    ...[...missed.problems].map(([job, text]) => ({ job, text })),
  ]
}

/** Nothing at all is mostly the wrong directory, and what may not be read is not nothing. */
function checkReadable({ base, logs, config, running }: Home): void {
  const isThere = [logs, config, running].map((path) => {
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
  if (events.length === 0 && !fs.existsSync(home.logs)) return []
  const result = events.length === 0 ? await foldIntoViews(home, clock) : await publishAll(home, events, clock)
  return result.kind === 'failed' ? [`the views could not be updated: ${messageOf(result.error)}`] : []
}

/** What another pass has recorded before us is not ours to have decided: the times after it are still open. */
function remember(home: Home, marks: LookMarks, { events, decidedUntilMs }: Missed): void {
  const summary = readSummary(home)
  const lost = events.filter(({ job, until }) => summary.get(job)?.last_missed !== until).map(({ job }) => job)
  const decided = [...decidedUntilMs].flatMap(([job, untilMs]): [string, number][] => {
    const markMs = lost.includes(job) ? marks.get(job) : untilMs
    return markMs === undefined ? [] : [[job, markMs]]
  })
  if (decided.some(([job, markMs]) => marks.get(job) !== markMs)) writeLookMarks(home, new Map(decided))
}
