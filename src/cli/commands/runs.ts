import { parseId } from '../../config/job-id.ts'
import { wholeNumber, flagValue } from '../../config/option-value.ts'
import { toLocalIso } from '../../platform/clock.ts'
import { formatDuration } from '../../platform/duration.ts'
import { formatSize } from '../../platform/size.ts'
import type { RunFinished } from '../../record/event.ts'
import { describeEnd, printable } from '../../record/outcome-text.ts'
import { listRunning, readRuns, readSummary, sweepBeforeReading } from '../../record/read-records.ts'
import { unknownJob } from '../../record/record-delivery.ts'
import { JSON_FLAG, type Command } from '../command.ts'
import { createColors, describeAge, formatTable, print, printJson } from '../output.ts'

export const runsCommand: Command = {
  name: 'runs',
  usage: '<job>',
  description: 'List the runs of a job from the journal, the latest last',
  flags: new Map([
    ['lines', { takesValue: true, short: 'n', placeholder: '<count>', description: 'How many (default: 30)' }],
    ['failed', { takesValue: false, description: 'Only runs that failed' }],
    ['json', JSON_FLAG],
  ]),
  examples: ['cronwrap runs backup', 'cronwrap runs backup --failed -n 5'],
  positionals: [1, 1],
  async run({ home, flags, now, positionals: [name = ''] }) {
    const job = parseId(name)
    await sweepBeforeReading(home)
    const failedOnly = flags.get('failed') === 'true'
    const all = readRuns(home, job)
    const known = [...readSummary(home).keys(), ...listRunning(home).map(({ manifest }) => manifest.job)]
    if (all.length === 0 && !known.includes(job)) throw unknownJob(job, known)
    const count = flagValue('lines', flags.get('lines') ?? '30', wholeNumber(1, 1_000_000))
    const runs = all.filter((run) => !failedOnly || run.status === 'error').slice(-count)
    if (flags.get('json') === 'true') printJson(runs)
    else if (runs.length === 0) print(failedOnly ? `no run of ${job} has failed` : `no run of ${job} has ended yet`)
    else print(await runsTable(runs, now))
    return 0
  },
}

/** Time on the processor; a question mark where nobody measured. */
export function cpuText(ms: number | null | undefined): string {
  return typeof ms === 'number' ? formatDuration(ms) : '?'
}

/** The most memory that was seen. */
export function memoryText(bytes: number | null | undefined): string {
  return typeof bytes === 'number' ? formatSize(bytes) : '?'
}

export async function runsTable(runs: readonly RunFinished[], now: Date): Promise<string> {
  const colors = createColors()
  const heading = ['STARTED', '', 'STATUS', 'DURATION', 'CPU', 'MEMORY', 'ATTEMPTS', 'RUN', 'ERROR'].map((text) =>
    colors.bold(text),
  )
  const rows = runs.map((run) => [
    toLocalIso(new Date(run.started)).slice(0, 19).replace('T', ' '),
    describeAge(run.started, now),
    run.status === 'success' ? colors.green(describeEnd(run)) : colors.red(describeEnd(run)),
    run.duration_ms === null ? '?' : formatDuration(run.duration_ms),
    cpuText(run.cpu_ms),
    memoryText(run.max_memory_bytes),
    String(run.attempts),
    run.run_id,
    printable(run.last_error ?? ''),
  ])
  return formatTable([heading, ...rows])
}
