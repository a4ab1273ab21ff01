import type { Timetable } from './timetable.ts'

/** A run begins this much early at most: clocks are corrected, and records hold whole seconds. */
export const EARLY_MS = 5_000

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
  /** More times than these are left for the next look. */
  readonly mostAtOnce: number
}

export interface Missed {
  readonly due: readonly Date[]
  /** Up to when every time is decided; for an interval, the start that the next one begins with. */
  readonly decidedUntilMs: number
  /** That is further than before because there was a time to decide, or a start; not because time passed. */
  readonly hasDecided: boolean
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
  { next, graceMs, afterMs, mostAtOnce }: Expected & { next: (after: Date) => Date | null },
  runs: readonly RunSpan[],
  nowMs: number,
): Missed {
  const missed: Date[] = []
  let first = 0
  let looked = 0
  let lastMs = afterMs
  let due = next(new Date(afterMs))
  for (; due !== null && due.getTime() + graceMs <= nowMs; looked++) {
    if (looked === mostAtOnce) return { due: missed, decidedUntilMs: lastMs, hasDecided: true }
    const dueMs = due.getTime()
    const following = next(due)
    const gapMs = following === null ? Infinity : following.getTime() - dueMs
    const earlyMs = Math.min(EARLY_MS, gapMs / 2)
    const latestMs = Math.min(dueMs + graceMs, dueMs + gapMs - earlyMs)
    while ((runs[first]?.endedMs ?? Infinity) < dueMs - earlyMs) first += 1
    if (!isServed(runs, first, { earliestMs: dueMs - earlyMs, dueMs, latestMs })) missed.push(due)
    lastMs = dueMs
    due = following
  }
  // There is none in between.
  return { due: missed, decidedUntilMs: Math.max(lastMs, nowMs - graceMs), hasDecided: looked > 0 }
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
  { everyMs, graceMs, afterMs, mostAtOnce }: Expected & { everyMs: number },
  runs: readonly RunSpan[],
  nowMs: number,
): Missed {
  const missed: Date[] = []
  let lastMs = afterMs
  let outlastedUntilMs = -Infinity
  for (let at = 0, looked = 0; looked < mostAtOnce; looked++) {
    const latestMs = (): number => Math.min(lastMs + everyMs + graceMs, nowMs)
    for (let run = runs[at]; run !== undefined && run.startedMs <= latestMs(); run = runs[++at]) {
      lastMs = Math.max(lastMs, run.startedMs)
      outlastedUntilMs = Math.max(outlastedUntilMs, run.endedMs)
    }
    const dueMs = lastMs + everyMs
    if (dueMs + graceMs > nowMs) break
    if (outlastedUntilMs < dueMs) missed.push(new Date(dueMs))
    lastMs = dueMs
  }
  return { due: missed, decidedUntilMs: lastMs, hasDecided: lastMs > afterMs }
}
