import { schedule, SCHEDULE_SEPARATOR, timeZone } from '../config/option-value.ts'
import { messageOf } from '../errors.ts'
import type { WrappedCommand } from '../invocation/wrapped-command.ts'
import type { StartedCommand } from '../invocation/started-command.ts'
import { readTimetable } from './timetable.ts'

/** When a scheduler starts something. */
export type Times =
  | { readonly kind: 'times'; readonly expression: string; readonly tz: string | null }
  /** It is due at no time: it is started by something else. */
  | { readonly kind: 'none'; readonly reason: string }
  /** It has times, which no schedule of ours can say. */
  | { readonly kind: 'untold'; readonly reason: string }

/** What a scheduler starts: a line of a crontab, a timer of systemd, a job of OpenClaw. */
export interface FoundSchedule {
  /** `crontab line 3`, `backup.timer`. */
  readonly where: string
  /** What it runs; empty where that could not be read. */
  readonly command: string
  readonly times: Times
  /** How much later than due it may be started, by the scheduler's own doing. */
  readonly spreadMs: number
  /** How it runs under cronwrap; null when it does not. */
  readonly wrapped: WrappedCommand | null
  /** Why it cannot be told which job it records, where cronwrap is in it. */
  readonly unnamed: string | null
  /** That reason is that cronwrap refuses its options, and runs nothing. */
  readonly isRefused?: boolean
  /** Where it would record if its scheduler knew the environment of this shell. */
  readonly baseInShell?: string
}

/** What one scheduler starts. */
export interface Findings {
  readonly found: readonly FoundSchedule[]
  /** Why there may be more of it; one line each. */
  readonly unreadable: readonly string[]
}

export const NOTHING_FOUND: Findings = { found: [], unreadable: [] }

/** All these times as those of one job; null where no schedule of ours can say that. */
export function mergeTimes(all: readonly Times[]): Extract<Times, { kind: 'times' }> | null {
  const times = all.flatMap((each) => (each.kind === 'times' ? each : []))
  const [first] = times
  if (first === undefined || times.length < all.length || times.some(({ tz }) => tz !== first.tz)) return null
  const expressions = [...new Set(times.flatMap(({ expression }) => expression.split(`${SCHEDULE_SEPARATOR} `)))]
  if (expressions.length > 1 && expressions.some((each) => each.startsWith('every '))) return null
  return { kind: 'times', expression: expressions.sort().join(`${SCHEDULE_SEPARATOR} `), tz: first.tz }
}

/** Times that are known to be usable; else why they are not. */
export function timesOf(expression: string, tz: string | null): Times {
  try {
    const times = { expression: schedule(expression), tz: tz === null ? null : timeZone(tz) }
    readTimetable(times)
    return { kind: 'times', ...times }
  } catch (error) {
    return { kind: 'untold', reason: messageOf(error) }
  }
}

/** A scheduler's times are those of the job only where it is started each time, and soon. */
export function foundAs(
  { wrapped, unnamed, isRefused, isConditional, delayMs }: StartedCommand,
  times: Times,
  spreadMs: number,
): Pick<FoundSchedule, 'times' | 'spreadMs' | 'wrapped' | 'unnamed' | 'isRefused'> {
  const reason = isConditional
    ? 'it runs under a condition'
    : delayMs === null
      ? 'how long it sleeps before cannot be told'
      : null
  const isTold = reason === null || times.kind !== 'times'
  return {
    times: isTold ? times : { kind: 'untold', reason },
    spreadMs: spreadMs + (delayMs ?? 0),
    wrapped,
    unnamed,
    isRefused,
  }
}
