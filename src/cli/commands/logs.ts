import { parseId } from '../../config/job-id.ts'
import { wholeNumber, flagValue } from '../../config/option-value.ts'
import { CronwrapError } from '../../errors.ts'
import { logPaths } from '../../record/execution-log.ts'
import { readLogEntries, type LogEntry } from '../../record/log-reader.ts'
import { listRunning, readRuns, readSummary, sweepBeforeReading } from '../../record/read-records.ts'
import { unknownJob } from '../../record/record-delivery.ts'
import {
  omissionLine,
  readExtent,
  readInPieces,
  spooledParts,
  type Extent,
  type StreamName,
} from '../../record/spooled-stream.ts'
import { lastLines } from '../last-lines.ts'
import { JSON_FLAG, type Command, type CommandInput } from '../command.ts'
import { followLog } from '../follow-log.ts'
import { printJson } from '../output.ts'

export const logsCommand: Command = {
  name: 'logs',
  usage: '<job>',
  description: 'Show the log of a job: its last lines, a run, or one stream as it was printed',
  flags: new Map([
    [
      'lines',
      {
        takesValue: true,
        short: 'n',
        placeholder: '<count>',
        description: 'How many lines; with --failed or --json, runs (default: 30)',
      },
    ],
    ['follow', { takesValue: false, short: 'f', description: 'Go on with what comes, also of a run in progress' }],
    ['run', { takesValue: true, placeholder: '<run-id>', description: 'Only this run' }],
    ['failed', { takesValue: false, description: 'Only runs that failed' }],
    ['stdout', { takesValue: false, description: 'Only stdout, byte for byte, of the last run' }],
    ['stderr', { takesValue: false, description: 'Only stderr, byte for byte, of the last run' }],
    ['json', JSON_FLAG],
  ]),
  examples: [
    'cronwrap logs backup -n 50',
    'cronwrap logs backup -f',
    'cronwrap logs backup --failed --stderr > error.txt',
  ],
  positionals: [1, 1],
  async run(input) {
    const job = parseId(input.positionals[0] ?? '')
    await sweepBeforeReading(input.home)
    const isOn = (name: string): boolean => input.flags.get(name) === 'true'
    const count = flagValue('lines', input.flags.get('lines') ?? '30', wholeNumber(0, 10_000_000))
    const stream = isOn('stdout') ? 'stdout' : isOn('stderr') ? 'stderr' : null
    if (isOn('stdout') && isOn('stderr')) throw new CronwrapError('USAGE', '--stdout and --stderr exclude each other')
    if (stream !== null && (isOn('json') || input.flags.has('lines'))) {
      throw new CronwrapError(
        'USAGE',
        `--${stream} prints the whole stream of one run: it goes with --run and --failed only`,
      )
    }
    if (isOn('follow') && (stream !== null || isOn('json') || isOn('failed') || input.flags.has('run'))) {
      throw new CronwrapError('USAGE', '--follow shows the whole log and goes with --lines only')
    }
    requireKnown(input, job)
    tellOfFirstRun(input, job)
    if (stream !== null) await writeStream(input, job, stream)
    else if (isOn('json'))
      printJson(
        pick(input, job)
          .slice(count === 0 ? Infinity : -count)
          .map(describeEntry),
      )
    else if (isOn('failed') || input.flags.has('run'))
      for (const entry of newest(pick(input, job), count)) await write(entry.whole)
    else for (const extent of lastLines(logPaths(input.home, job), count)) await write(extent)
    if (isOn('follow')) await followLog(input.home, job, (chunk) => process.stdout.write(chunk))
    return 0
  },
}

function newest<T>(entries: readonly T[], count: number): readonly T[] {
  return entries.slice(Math.max(0, entries.length - count))
}

function requireKnown({ home }: CommandInput, job: string): void {
  const summary = readSummary(home)
  const known =
    summary.has(job) || logPaths(home, job).length > 0 || listRunning(home).some(({ manifest }) => manifest.job === job)
  if (!known) throw unknownJob(job, [...summary.keys()])
}

/** The log of a job is written as its runs end; until then there is nothing to see here but by --follow. */
function tellOfFirstRun({ home, flags }: CommandInput, job: string): void {
  if (logPaths(home, job).length > 0 || flags.size > 0) return
  const hint = listRunning(home).some(({ manifest }) => manifest.job === job)
    ? '; see what it prints with --follow'
    : ''
  process.stderr.write(`cronwrap: no run of ${job} has ended yet${hint}\n`)
}

/** The entries that `--run` and `--failed` ask for, the oldest first. */
function pick({ home, flags }: CommandInput, job: string): LogEntry[] {
  const runId = flags.get('run')
  const entries = readLogEntries(home, job).filter(
    (entry) =>
      (runId === undefined || entry.runId === runId) &&
      (flags.get('failed') !== 'true' || entry.status.startsWith('error')),
  )
  if (runId !== undefined && entries.length === 0) {
    if (listRunning(home).some(({ manifest }) => manifest.run_id === runId))
      throw new CronwrapError('NO_SUCH_RUN', `run "${runId}" has not ended yet`, {
        hint: `cronwrap logs ${job} --follow shows what it prints`,
      })
    const isOld = readRuns(home, job).some((run) => run.run_id === runId)
    const message = isOld ? `the log of run "${runId}" is no longer kept` : `the log of ${job} has no run "${runId}"`
    throw new CronwrapError('NO_SUCH_RUN', message, { hint: `see cronwrap runs ${job}` })
  }
  return entries
}

/** A run in progress has its output in the spool. */
async function writeStream(input: CommandInput, job: string, name: StreamName): Promise<void> {
  const runId = input.flags.get('run')
  const running = listRunning(input.home).find(({ manifest }) => manifest.job === job && manifest.run_id === runId)
  if (running !== undefined) {
    for (const part of spooledParts(running.directory, running.manifest.max_output))
      if (part.name === name) await write(part.extent)
    return
  }
  for (const section of pick(input, job).at(-1)?.sections ?? []) {
    if (section.name !== name) continue
    await write(section.head)
    const omitted = section.totalBytes - section.head.length - section.tail.length
    if (omitted > 0) process.stdout.write(omissionLine(omitted))
    await write(section.tail)
  }
}

function describeEntry(entry: LogEntry): object {
  const text = (name: StreamName): string =>
    entry.sections
      .filter((section) => section.name === name)
      .flatMap(({ head, tail }) => [readExtent(head), readExtent(tail)])
      .reduce((all, piece) => all + piece.toString('utf8'), '')
  const { job, runId, started, command, status, duration } = entry
  return { job, run_id: runId, started, command, status, duration, stdout: text('stdout'), stderr: text('stderr') }
}

/** Waits for the reader, so that a log of any size needs little memory. */
async function write(extent: Extent): Promise<void> {
  for (const piece of readInPieces(extent)) {
    if (!process.stdout.write(piece)) await new Promise((resolve) => process.stdout.once('drain', resolve))
  }
}
