import { COMMAND_NAMES } from '../config/command-names.ts'
import { isSameTimes, type JobSchedule } from '../record/event.ts'
import type { KnownSchedule } from '../record/summary-entry.ts'
import type { Summary } from '../record/summary.ts'
import { scheduleOf } from '../job/run-event.ts'
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
  /** What has cronwrap in it, and records nobody can tell what. */
  readonly unnamed: readonly FoundSchedule[]
  /** What records in another base directory. */
  readonly elsewhere: readonly FoundSchedule[]
  /** What nobody understands. */
  readonly unclear: readonly FoundSchedule[]
}

/** Where an import looked. */
export interface Look {
  /** Jobs that cronwrap.json says it of. */
  readonly configured: ReadonlySet<string>
  /** Everything could be read: what was not found there is not there. */
  readonly isComplete: boolean
  /** The one crontab that was looked at; null: all schedulers of this machine. */
  readonly file: string | null
}

/** A directory of scripts is several jobs; and what cronwrap does for itself, or for a person, is none. */
const NO_JOB = new RegExp(
  String.raw`\brun-parts\b|\bcronwrap(?:\.js)?\s+(?:--home(?:=|\s+)\S+\s+)?(?:${COMMAND_NAMES.filter((name) => name !== 'run').join('|')})\b`,
)

/** Compares what the schedulers start with what is known. Pure. */
export function planImport(found: readonly FoundSchedule[], summary: Summary, base: string, look: Look): ImportPlan {
  const here = new Map<string, FoundSchedule[]>()
  for (const each of found) {
    if (each.wrapped?.base === base) here.set(each.wrapped.job, [...(here.get(each.wrapped.job) ?? []), each])
  }
  const steps = [...here].map(([job, ofJob]) => stepFor(job, ofJob, summary.get(job)?.schedule ?? null, look))
  const gone = [...summary].flatMap(([job, { schedule }]) => {
    if (schedule?.source !== 'import' || here.has(job) || !isWithin(look, schedule)) return []
    return [goneStep(job, schedule, [], 'it is not found any more', look)]
  })
  const others = found.filter(({ wrapped, command }) => wrapped === null && command !== '' && !NO_JOB.test(command))
  return {
    steps: [...steps, ...gone].toSorted((a, b) => (a.job < b.job ? -1 : 1)),
    unwrapped: others.filter(({ unnamed }) => unnamed === null),
    unnamed: others.filter(({ unnamed }) => unnamed !== null),
    elsewhere: found.filter(({ wrapped }) => wrapped !== null && wrapped.base !== base),
    unclear: found.filter(({ command }) => command === ''),
  }
}

/** Of what does not come from it one file says nothing. */
function isWithin(look: Look, known: KnownSchedule): boolean {
  return look.file === null || known.file === look.file
}

function stepFor(job: string, found: readonly FoundSchedule[], known: KnownSchedule | null, look: Look): ImportStep {
  const schedule = scheduleIn(found)
  const where = found.map((each) => each.where)
  if (look.configured.has(job)) return { job, outcome: 'kept', schedule: known, where, reason: SAID_BY.config }
  if (known !== null && known.source !== 'import') {
    const differs = schedule === null || isSameTimes(known, schedule) ? '' : `, where ${schedule.expression} was found`
    return { job, outcome: 'kept', schedule: known, where, reason: `${SAID_BY[known.source]}${differs}` }
  }
  if (schedule === null) {
    const reason = whyUntold(found)
    if (known === null) return { job, outcome: 'untold', schedule, where, reason }
    // Started here at no time of its own, it may still be by a scheduler that could not be asked.
    const isCertain = found.some(({ times }) => times.kind !== 'none')
    const isComplete = isCertain || (look.isComplete && isWithin(look, known))
    return goneStep(job, known, where, reason, { ...look, isComplete })
  }
  const isKnown =
    known !== null &&
    isSameTimes(known, schedule) &&
    known.grace_ms === schedule.grace_ms &&
    (known.file ?? null) === look.file
  return { job, outcome: isKnown ? 'unchanged' : 'learnt', schedule, where, reason: null }
}

const SAID_BY: Record<Exclude<KnownSchedule['source'], 'import'>, string> = {
  run: 'its runs said it',
  config: 'cronwrap.json says it',
  command: 'it was set by hand',
}

function goneStep(
  job: string,
  schedule: KnownSchedule,
  where: readonly string[],
  reason: string,
  { isComplete, file }: Look,
): ImportStep {
  // The schedulers of this machine need not know the file.
  if (file === null && schedule.file !== undefined)
    return { job, outcome: 'kept', schedule, where, reason: `it was imported from ${schedule.file}` }
  if (isComplete) return { job, outcome: 'forgotten', schedule, where, reason }
  return { job, outcome: 'kept', schedule, where, reason: `${reason}, and not everything was read` }
}

/** The schedule of all that start the job; null when there is none that says them all. */
function scheduleIn(found: readonly FoundSchedule[]): JobSchedule | null {
  // What the command says itself is what its runs will say.
  const saying = found.find(({ wrapped }) => wrapped !== null && wrapped.options.schedule !== null)
  if (saying?.wrapped) return scheduleOf(saying.wrapped.options)
  const due = found.filter(({ times }) => times.kind !== 'none')
  const times = mergeTimes(due.map((each) => each.times))
  if (times === null) return null
  const graces = due.map(({ wrapped, spreadMs }) => {
    const { graceMs = 0, jitterMs = 0 } = wrapped?.options ?? {}
    return graceMs + jitterMs + spreadMs
  })
  return { expression: times.expression, tz: times.tz, grace_ms: Math.max(...graces) }
}

function whyUntold(found: readonly FoundSchedule[]): string {
  const reasons = found.flatMap(({ times }) => (times.kind === 'times' ? [] : [times]))
  const decisive =
    reasons.find(({ kind }) => kind === 'untold') ?? (reasons.length === found.length ? reasons[0] : null)
  return decisive?.reason ?? 'its times differ: let each have a --job of its own, or name them with --schedule'
}
