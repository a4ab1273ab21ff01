import { groupBy } from '../platform/group-by.ts'
import type { FailingTarget, PendingNotification, PendingTarget } from './pending-notification.ts'
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
  const failing = [...summary].flatMap(([job, { failing_targets: targets }]) =>
    targets.map((target) => ({ job, ...target })),
  )
  return [...groupBy(failing, ({ target }) => target).values()]
    .filter((of) => of.some(({ final, failures }) => final || failures > REFUSALS_TOLERATED))
    .map(channelOf)
    .sort((a, b) => Date.parse(a.since) - Date.parse(b.since))
}

/** It stays the alert of one job while it lasts: of the one whose notification it did not take first. */
function channelOf(of: readonly (FailingTarget & { readonly job: string })[]): FailingChannel {
  const bySince = of.toSorted((a, b) => Date.parse(a.since) - Date.parse(b.since) || (a.job < b.job ? -1 : 1))
  const byLast = of.toSorted((a, b) => Date.parse(a.last) - Date.parse(b.last))
  const [first, latest] = [bySince[0], byLast.at(-1)]
  return {
    target: first?.target ?? '',
    job: first?.job ?? '',
    jobs: bySince.map(({ job }) => job),
    failures: Math.max(...of.map(({ failures }) => failures)),
    since: first?.since ?? '',
    last: latest?.last ?? '',
    error: latest?.error ?? null,
  }
}

/** What becomes of an entry once the target is known to work, or is no more: what it did not take is history. Pure. */
export function withoutFailing(entry: SummaryEntry, target: string): SummaryEntry {
  if (!entry.failing_targets.some((each) => each.target === target)) return entry
  return { ...entry, failing_targets: entry.failing_targets.filter((each) => each.target !== target) }
}

/** The entry in which what waits for another attempt at this target waits no more. Pure. */
export function withoutWaits(entry: SummaryEntry, target: string): SummaryEntry {
  if (!entry.notifications.some((each) => waitsFor(each, target))) return entry
  const freed = (each: PendingTarget): PendingTarget =>
    each.name === target && each.claim === null ? { ...each, retry_at: null } : each
  return {
    ...entry,
    notifications: entry.notifications.map((each) => ({ ...each, targets: each.targets.map(freed) })),
  }
}

/** Whether another attempt at this target is put off. */
export function waitsFor({ targets }: PendingNotification, target: string): boolean {
  return targets.some(({ name, claim, retry_at }) => name === target && claim === null && retry_at !== null)
}
