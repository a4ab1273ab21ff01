import type { Timetable } from './timetable.ts'

/** A run begins this much early at most: clocks are corrected, and records hold whole seconds. */
const EARLY_MS = 5_000
/** More times than these are left for the next look. */
const MOST_AT_ONCE = 5_000

/** From when to when a run lasted; a run that goes on has no end. */
export interface RunSpan {
  readonly startedMs: number
  readonly endedMs: number
}

export interface Expected {
  readonly timetable: Timetable
  readonly graceMs: number
  /** Later times only. */
  readonly afterMs: number
}

export interface Missed {
  readonly due: readonly Date[]
  /** The last time that was decided, or the start that the next interval begins with. */
  readonly decidedUntilMs: number
}

/**
 * The times at which the job was due and neither began within the grace nor was still running. Times
 * whose grace is not over are left out. Pure.
 *
 * A run belongs to the latest time it can belong to: a job of every minute that was not started for
 * three minutes has missed three runs, whatever came after.
 * @param runs in the order of their starts
 */
export function findMissed(expected: Expected, runs: readonly RunSpan[], nowMs: number): Missed {
  return expected.timetable.kind === 'calendar'
    ? missedInCalendar({ ...expected, next: expected.timetable.next }, runs, nowMs)
    : missedIntervals({ ...expected, everyMs: expected.timetable.everyMs }, runs, nowMs)
}

function missedInCalendar(
  { next, graceMs, afterMs }: Expected & { next: (after: Date) => Date | null },
  runs: readonly RunSpan[],
  nowMs: number,
): Missed {
  const missed: Date[] = []
  let first = 0
  let decidedUntilMs = afterMs
  let due = next(new Date(afterMs))
  for (let looked = 0; due !== null && due.getTime() + graceMs <= nowMs && looked < MOST_AT_ONCE; looked++) {
    const dueMs = due.getTime()
    const following = next(due)
    const gapMs = following === null ? Infinity : following.getTime() - dueMs
    const earlyMs = Math.min(EARLY_MS, gapMs / 2)
    const latestMs = Math.min(dueMs + graceMs, dueMs + gapMs - earlyMs)
    while ((runs[first]?.endedMs ?? Infinity) < dueMs - earlyMs) first += 1
    if (!isServed(runs, first, { earliestMs: dueMs - earlyMs, dueMs, latestMs })) missed.push(due)
    decidedUntilMs = dueMs
    due = following
  }
  return { due: missed, decidedUntilMs }
}

/** Whether a run began in time, or went on when it was time. */
function isServed(
  runs: readonly RunSpan[],
  first: number,
  { earliestMs, dueMs, latestMs }: { earliestMs: number; dueMs: number; latestMs: number },
): boolean {
  for (let at = first; at < runs.length; at++) {
    const { startedMs, endedMs } = runs[at] ?? { startedMs: Infinity, endedMs: Infinity }
    if (startedMs > latestMs) return false
    if (startedMs >= earliestMs || endedMs >= dueMs) return true
  }
  return false
}

function missedIntervals(
  { everyMs, graceMs, afterMs }: Expected & { everyMs: number },
  runs: readonly RunSpan[],
  nowMs: number,
): Missed {
  const missed: Date[] = []
  let lastMs = afterMs
  for (let looked = 0; lastMs + everyMs + graceMs <= nowMs && looked < MOST_AT_ONCE; looked++) {
    const dueMs = lastMs + everyMs
    const served = runs.find(({ startedMs, endedMs }) =>
      startedMs > lastMs ? startedMs <= dueMs + graceMs : endedMs >= dueMs,
    )
    if (served === undefined) missed.push(new Date(dueMs))
    lastMs = served !== undefined && served.startedMs > lastMs ? served.startedMs : dueMs
  }
  return { due: missed, decidedUntilMs: lastMs }
}
