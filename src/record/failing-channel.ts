import type { PendingNotification, PendingTarget } from './pending-notification.ts'
import type { SummaryEntry } from './summary-entry.ts'
import type { Summary } from './summary.ts'

/** So often a target refuses before that is an alert. */
const REFUSALS_TOLERATED = 2

/** A target that takes notifications no more, whatever job they are about. */
export interface FailingChannel {
  readonly target: string
  /** The first job whose notification it did not take: the alert is that job's. */
  readonly job: string
  /** All those jobs. */
  readonly jobs: readonly string[]
  /** The most attempts in a row for one of them. */
  readonly failures: number
  readonly since: string
  readonly last: string
  readonly error: string | null
}

/** The longest failing first. Pure. */
export function failingChannels(summary: Summary): FailingChannel[] {
  const channels = new Map<string, FailingChannel>()
  for (const [job, { failing_targets: failing }] of summary) {
    for (const { target, failures, final, since, last, error } of failing) {
      if (!final && failures <= REFUSALS_TOLERATED) continue
      const known = channels.get(target)
      const own = { target, job, jobs: [job], failures, since, last, error }
      channels.set(target, known === undefined ? own : together(known, own))
    }
  }
  return [...channels.values()].sort((a, b) => Date.parse(a.since) - Date.parse(b.since))
}

function together(a: FailingChannel, b: FailingChannel): FailingChannel {
  const [first, latest] = [startsBefore(b, a) ? b : a, Date.parse(b.last) > Date.parse(a.last) ? b : a]
  return {
    ...first,
    jobs: [...a.jobs, ...b.jobs],
    failures: Math.max(a.failures, b.failures),
    last: latest.last,
    error: latest.error,
  }
}

function startsBefore(a: FailingChannel, b: FailingChannel): boolean {
  const difference = Date.parse(a.since) - Date.parse(b.since)
  return difference < 0 || (difference === 0 && a.job < b.job)
}

/** The summary once the target is known to work, or is no more: what it did not take is history, of all jobs. Pure. */
export function withoutFailing(summary: Summary, target: string): Map<string, SummaryEntry> {
  return new Map(
    [...summary].map(([job, entry]) => [
      job,
      entry.failing_targets.some((each) => each.target === target)
        ? { ...entry, failing_targets: entry.failing_targets.filter((each) => each.target !== target) }
        : entry,
    ]),
  )
}

/** The summary in which what waits for another attempt at this target waits no more. Pure. */
export function withoutWaits(summary: Summary, target: string): Map<string, SummaryEntry> {
  const freed = (each: PendingTarget): PendingTarget =>
    each.name === target && each.claim === null ? { ...each, retry_at: null } : each
  return new Map(
    [...summary].map(([job, entry]) => {
      if (!entry.notifications.some((each) => waitsFor(each, target))) return [job, entry]
      return [
        job,
        { ...entry, notifications: entry.notifications.map((each) => ({ ...each, targets: each.targets.map(freed) })) },
      ]
    }),
  )
}

/** Whether another attempt at this target is put off. */
export function waitsFor({ targets }: PendingNotification, target: string): boolean {
  return targets.some(({ name, claim, retry_at }) => name === target && claim === null && retry_at !== null)
}
