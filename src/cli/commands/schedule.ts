import type { Home } from '../../config/base-directory.ts'
import { takeUpConfigSchedules } from '../../check/config-schedules.ts'
import { parseId } from '../../config/job-id.ts'
import { nearest } from '../../config/nearest.ts'
import { resolveRunOptions } from '../../config/resolve-run-options.ts'
import { flagValue, schedule, timeZone } from '../../config/option-value.ts'
import { CronwrapError, messageOf } from '../../errors.ts'
import { toLocalIso } from '../../platform/clock.ts'
import { formatDuration, parseDuration } from '../../platform/duration.ts'
import { groupBy } from '../../platform/group-by.ts'
import { scheduleOf } from '../../job/run-event.ts'
import { printable } from '../../record/outcome-text.ts'
import { listRunning, readSummary, sweepBeforeReading, type RunningRun } from '../../record/read-records.ts'
import type { Summary } from '../../record/summary.ts'
import { EMPTY_ENTRY, type KnownSchedule, type SummaryEntry } from '../../record/summary-entry.ts'
import { importSchedules, undoImport } from '../../schedule/import-schedules.ts'
import { recordSchedules } from '../../schedule/record-schedule.ts'
import { nextDue, readTimetable, type Starts } from '../../schedule/timetable.ts'
import { JSON_FLAG, type Command, type CommandFlag, type CommandInput } from '../command.ts'
import { startsOf } from '../job-status.ts'
import { describeImport, describeSchedule, importAsJson } from '../import-report.ts'
import { createColors, describeDistance, formatTable, print, printJson } from '../output.ts'

/** The first word of a flag's description is the action that it is for. */
const flag = (description: string, placeholder?: string): CommandFlag => ({
  takesValue: placeholder !== undefined,
  ...(placeholder === undefined ? {} : { placeholder }),
  description,
})

export const scheduleCommand: Command = {
  name: 'schedule',
  usage: '[action] [job] [when]',
  description: 'Show when jobs are due; "import" learns it from the schedulers of this machine; "set", "remove"',
  flags: new Map([
    ['dry-run', flag('import: say what would be learnt, and record nothing')],
    ['undo', flag('import: forget every schedule that was imported')],
    ['file', flag('import: look at this crontab only', '<crontab>')],
    ['system', flag('import: its lines name a user, as those of /etc/crontab do')],
    ['tz', flag("set: time zone, as Europe/Berlin (the machine's)", '<zone>')],
    ['grace', flag('set: how late a run may begin before it is missed (10m)', '<duration>')],
    ['json', JSON_FLAG],
  ]),
  examples: [
    'cronwrap schedule',
    'cronwrap schedule import --dry-run',
    'cronwrap schedule set backup "30 2 * * *" --tz Europe/Berlin',
    'cronwrap schedule remove backup',
  ],
  positionals: [0, Infinity],
  async run(input) {
    const [action = '', job, ...when] = input.positionals
    const foreign = [...input.flags.keys()].find(
      (name) => !['home', 'json'].includes(name) && actionOf(name) !== action,
    )
    if (foreign !== undefined && ['', 'import', 'set', 'remove'].includes(action)) {
      const goes = `it is for ${actionOf(foreign)}`
      throw new CronwrapError('USAGE', `--${foreign} does not go with this: ${goes}`, { hint: SEE_HELP })
    }
    if (action === '') return list(input)
    if (action === 'import' && job === undefined) return learn(input)
    if (action === 'set' && job !== undefined && when.length > 0) return set(input, parseId(job), when.join(' '))
    if (action === 'remove' && job !== undefined && when.length === 0) return remove(input, parseId(job))
    throw usage(input)
  },
}

const SEE_HELP = 'see cronwrap schedule --help'

function usage({ home, positionals }: CommandInput): CronwrapError {
  const [word = '', ...others] = positionals
  const isJob = others.length === 0 && readSummary(home).has(word)
  const hint = isJob ? `did you mean: cronwrap status ${word}` : `alone it lists what is known; ${SEE_HELP}`
  return new CronwrapError('USAGE', 'usage: cronwrap schedule [import | set <job> <when> | remove <job>]', { hint })
}

function actionOf(name: string): string | undefined {
  return scheduleCommand.flags.get(name)?.description.split(':')[0]
}

const RUNS_SAY_IT = 'a run that says itself when it is due has the last word'

async function list({ home, flags, now }: CommandInput): Promise<number> {
  await sweepBeforeReading(home)
  // Where we may not write, that stays for later.
  const warnings = await takeUpConfigSchedules(home, now).catch(() => [])
  for (const warning of warnings) process.stderr.write(`cronwrap: ${warning}\n`)
  const running = readRunning(home)
  const jobs = [...readSummary(home)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([job, entry]) => (entry.schedule === null ? [] : [{ job, schedule: entry.schedule, entry }]))
    .map((each) => ({ ...each, ...nextOf(each.schedule, startsOf(each.entry, running.get(each.job)), now) }))
  if (flags.get('json') === 'true') {
    printJson(
      jobs.map(({ job, schedule: known, entry, next, problem }) => ({
        job,
        ...known,
        next: next === null ? null : toLocalIso(next),
        problem,
        last_missed: entry.last_missed,
      })),
    )
    return 0
  }
  if (jobs.length === 0) {
    print('no job has a schedule; cronwrap schedule import learns those of this machine')
    return 0
  }
  const heading = ['JOB', 'SCHEDULE', 'ZONE', 'GRACE', 'FROM', 'NEXT', '', 'LAST MISSED']
  const rows = jobs.map(({ job, schedule: known, entry, ...next }) => [
    job,
    printable(known.expression),
    printable(known.tz ?? (known.expression.startsWith('every ') ? '-' : 'local')),
    formatDuration(known.grace_ms),
    known.source,
    ...nextCells(next, now),
    entry.last_missed === null ? '-' : clock(new Date(entry.last_missed)),
  ])
  print(await formatTable([heading.map((text) => createColors().bold(text)), ...rows]))
  for (const { job, problem } of jobs) if (problem !== null) print(printable(`${job}: ${problem}`))
  return 0
}

function nextCells({ next, problem }: Next, now: Date): [string, string] {
  if (next === null) return [problem === null ? '-' : 'cannot be used', '']
  return next < now ? ['overdue', ''] : [clock(next), describeDistance(next, now)]
}

function clock(time: Date): string {
  return toLocalIso(time).slice(0, 19).replace('T', ' ')
}

interface Next {
  readonly next: Date | null
  /** Why the schedule cannot be used. */
  readonly problem: string | null
}

function readRunning(home: Home): ReadonlyMap<string, readonly RunningRun[]> {
  return groupBy(listRunning(home), ({ manifest }) => manifest.job)
}

/** A run may have said what nobody can use: its job does not wait for it to be looked at. */
function nextOf(known: Omit<KnownSchedule, 'source'>, starts: Starts, now: Date): Next {
  try {
    return { next: nextDue(known, starts, now), problem: null }
  } catch (error) {
    return { next: null, problem: messageOf(error) }
  }
}

async function learn({ home, flags, now }: CommandInput): Promise<number> {
  const [path, dryRun] = [flags.get('file'), flags.get('dry-run') === 'true']
  const [isSystem, isUndone] = [flags.get('system') === 'true', flags.get('undo') === 'true']
  if (isSystem && path === undefined)
    throw new CronwrapError('USAGE', '--system says of what form the --file is, which is missing', { hint: SEE_HELP })
  if (isUndone && path !== undefined)
    throw new CronwrapError('USAGE', '--undo forgets what was imported from anywhere; --file does not go with it', {
      hint: SEE_HELP,
    })
  const file = path === undefined ? null : ({ path, form: isSystem ? 'system' : 'user' } as const)
  const report = isUndone ? await undoImport(home, { dryRun }, now) : await importSchedules(home, { dryRun, file }, now)
  if (flags.get('json') === 'true') printJson(importAsJson(report, dryRun))
  else for (const line of describeImport(report, dryRun, process.env)) print(line)
  return 0
}

async function set({ home, flags, now }: CommandInput, job: string, when: string): Promise<number> {
  const tz = flags.get('tz')
  const grace = flags.get('grace')
  const before = readSummary(home).get(job)
  refuseConfigured(home, job, before)
  const { options } = resolveRunOptions(new Map([['job', job]]), [], process.env, home)
  const said = scheduleOf({
    ...options,
    schedule: schedule(when),
    ...(tz === undefined ? {} : { tz: flagValue('tz', tz, timeZone) }),
    ...(grace === undefined ? {} : { graceMs: flagValue('grace', grace, parseDuration) }),
  })
  readTimetable(said)
  await recordSchedules(home, [{ job, schedule: said }], BY_HAND, now)
  const entry = readSummary(home).get(job) ?? EMPTY_ENTRY
  const starts = startsOf(entry, readRunning(home).get(job))
  const { next } = nextOf(entry.schedule ?? { ...said, since: toLocalIso(now) }, starts, now)
  if (flags.get('json') === 'true') {
    printJson({ job, ...said, next: next === null ? null : toLocalIso(next) })
    return 0
  }
  const due = next === null ? '' : `; next ${clock(next)} (${describeDistance(next, now)})`
  const zone = said.expression.startsWith('every ') ? null : (said.tz ?? 'local time')
  const isNew = entry.total_runs === 0
  const isSaid = options.schedule !== null || before?.schedule?.source === 'run'
  print(
    `${job}: ${describeSchedule({ ...said, tz: zone })}${due}${isNew ? '; no run of it is on record yet' : ''}${isSaid ? `; ${RUNS_SAY_IT}` : ''}`,
  )
  return 0
}

const BY_HAND = { source: 'command', file: null } as const

/** What was set by hand would go at the next look at cronwrap.json, or come back. */
function refuseConfigured(home: Home, job: string, entry: SummaryEntry | undefined): void {
  const { options } = resolveRunOptions(new Map([['job', job]]), [], {}, home)
  if (options.schedule !== null)
    throw new CronwrapError('BAD_VALUE', `cronwrap.json says when "${job}" is due`, {
      hint: `change it there: ${home.config}`,
    })
  if (entry !== undefined && entry.schedule_in_config !== null)
    throw new CronwrapError('BAD_VALUE', `cronwrap.json said when "${job}" is due`, {
      hint: 'it does not any more: cronwrap check takes that over',
    })
}

async function remove({ home, flags, now }: CommandInput, job: string): Promise<number> {
  const summary = readSummary(home)
  const entry = summary.get(job)
  refuseConfigured(home, job, entry)
  if (entry === undefined) throw unknownSchedule(job, summary)
  const removed = entry.schedule
  if (removed !== null) await recordSchedules(home, [{ job, schedule: null }], BY_HAND, now)
  if (flags.get('json') === 'true') printJson({ job, removed })
  else if (removed === null) print(`${job} has no schedule`)
  else print(`${job}: no schedule any more${removed.source === 'run' ? `; ${RUNS_SAY_IT}` : ''}`)
  return 0
}

function unknownSchedule(job: string, summary: Summary): CronwrapError {
  const scheduled = [...summary].flatMap(([name, { schedule: known }]) => (known === null ? [] : [name]))
  const near = nearest(job, scheduled)
  const hint = near === undefined ? 'cronwrap schedule lists those that are' : `did you mean ${near}?`
  return new CronwrapError('UNKNOWN_JOB', `no schedule of a job "${job}" is known`, { hint })
}
