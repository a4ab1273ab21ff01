import { COMMAND_NAMES } from '../config/command-names.ts'
import type { JobSchedule } from '../record/event.ts'
import type { KnownSchedule } from '../record/summary-entry.ts'
import type { Summary } from '../record/summary.ts'
import { mergeTimes, type FoundSchedule } from './found-schedule.ts'

/** `kept`: what is known is not for an import to change. `untold`: when it is due cannot be known. */
export type ImportOutcome = 'learnt' | 'unchanged' | 'kept' | 'forgotten' | 'untold'

/** What an import makes of one job. */
export interface ImportStep {
  readonly job: string
  readonly outcome: ImportOutcome
  /** The one that is learnt, kept or forgotten; null where there is none. */
  readonly schedule: JobSchedule | null
  /** Where it was found. */
  readonly where: readonly string[]
  /** Why it is not learnt; null when it is. */
  readonly reason: string | null
}

export interface ImportPlan {
  /** By name. */
  readonly steps: readonly ImportStep[]
  /** What runs under no cronwrap. */
  readonly unwrapped: readonly FoundSchedule[]
  /** What records in another base directory. */
  readonly elsewhere: readonly FoundSchedule[]
  /** What nobody understands. */
  readonly unclear: readonly FoundSchedule[]
}

/** Whether what was not found is nowhere: `one-file` says nothing of the rest. */
export type Coverage = 'complete' | 'incomplete' | 'one-file'

/** A directory of scripts is several jobs; and what cronwrap does for itself, or for a person, is none. */
const NO_JOB = new RegExp(
  String.raw`\brun-parts\b|\bcronwrap(?:\.js)?\s+(?:${COMMAND_NAMES.filter((name) => name !== 'run').join('|')})\b`,
)

/** Compares what the schedulers start with what is known. Pure. */
export function planImport(
  found: readonly FoundSchedule[],
  summary: Summary,
  base: string,
  coverage: Coverage,
): ImportPlan {
  const here = new Map<string, FoundSchedule[]>()
  for (const each of found) {
    if (each.wrapped?.base === base) here.set(each.wrapped.job, [...(here.get(each.wrapped.job) ?? []), each])
  }
  const steps = [...here].map(([job, ofJob]) => stepFor(job, ofJob, summary.get(job)?.schedule ?? null, coverage))
  const imported = [...summary].flatMap(([job, { schedule }]) =>
    schedule?.source === 'import' && !here.has(job) && coverage !== 'one-file' ? [{ job, schedule }] : [],
  )
  const gone = imported.map(({ job, schedule }) => goneStep(job, schedule, [], 'it is not found any more', coverage))
  return {
    steps: [...steps, ...gone].toSorted((a, b) => (a.job < b.job ? -1 : 1)),
    unwrapped: found.filter(({ wrapped, command }) => wrapped === null && command !== '' && !NO_JOB.test(command)),
    elsewhere: found.filter(({ wrapped }) => wrapped !== null && wrapped.base !== base),
    unclear: found.filter(({ command }) => command === ''),
  }
}

function stepFor(
  job: string,
  found: readonly FoundSchedule[],
  known: KnownSchedule | null,
  coverage: Coverage,
): ImportStep {
  const schedule = scheduleIn(found)
  const where = found.map((each) => each.where)
  if (known !== null && known.source !== 'import') {
    const differs = schedule === null || isSameTimes(known, schedule) ? '' : `, where ${schedule.expression} was found`
    return { job, outcome: 'kept', schedule: known, where, reason: `${SAID_BY[known.source]}${differs}` }
  }
  if (found.some(({ wrapped }) => wrapped !== null && wrapped.options.schedule !== null))
    return { job, outcome: 'kept', schedule: known, where, reason: 'its next run says itself when it is due' }
  if (schedule === null) {
    const reason = whyUntold(found)
    if (known === null) return { job, outcome: 'untold', schedule, where, reason }
    // Started here at no time of its own, it may still be by a scheduler that could not be asked.
    const isCertain = found.some(({ times }) => times.kind !== 'none')
    return goneStep(job, known, where, reason, isCertain ? 'complete' : coverage)
  }
  const isKnown = known !== null && isSameTimes(known, schedule) && known.grace_ms === schedule.grace_ms
  return { job, outcome: isKnown ? 'unchanged' : 'learnt', schedule, where, reason: null }
}

const SAID_BY: Record<Exclude<KnownSchedule['source'], 'import'>, string> = {
  run: 'its runs said it',
  config: 'cronwrap.json says it',
  command: 'it was set by hand',
}

function goneStep(
  job: string,
  schedule: JobSchedule,
  where: readonly string[],
  reason: string,
  coverage: Coverage,
): ImportStep {
  if (coverage === 'complete') return { job, outcome: 'forgotten', schedule, where, reason }
  return { job, outcome: 'kept', schedule, where, reason: `${reason}, and not everything was read` }
}

/** The schedule of all that start the job; null when there is none that says them all. */
function scheduleIn(found: readonly FoundSchedule[]): JobSchedule | null {
  const due = found.filter(({ times }) => times.kind !== 'none')
  const times = mergeTimes(due.map((each) => each.times))
  if (times === null) return null
  const graces = due.map(({ wrapped, spreadMs }) => {
    const { graceMs = 0, jitterMs = 0 } = wrapped?.options ?? {}
    return graceMs + jitterMs + spreadMs
  })
  return { expression: times.expression, tz: times.tz, grace_ms: Math.max(...graces) }
}

function isSameTimes(a: Pick<JobSchedule, 'expression' | 'tz'>, b: Pick<JobSchedule, 'expression' | 'tz'>): boolean {
  return a.expression === b.expression && a.tz === b.tz
}

function whyUntold(found: readonly FoundSchedule[]): string {
  const reasons = found.flatMap(({ times }) => (times.kind === 'times' ? [] : [times]))
  const decisive =
    reasons.find(({ kind }) => kind === 'untold') ?? (reasons.length === found.length ? reasons[0] : null)
  return decisive?.reason ?? 'its times differ: let each have a --job of its own, or name them with --schedule'
}
