/**
 * Measures cronwrap against its budgets and beside its peers, on this machine, and prints a table.
 *
 *   npm run bench -- [--node <path>] [--rounds <n>] [--skip-throughput]
 *
 * Over budget is a finding and not a failure: the exit code is 0 whenever there is a table.
 */
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { createContext, type BenchContext } from './bench-context.ts'
import { measureCrowd } from './crowd.ts'
import { endChildrenOnSignal, throwIfInterrupted } from './measure.ts'
import { formatRows, type Row } from './row.ts'
import { measureStartUp } from './start-up.ts'
import { measureThroughput } from './throughput.ts'

interface BenchOptions {
  readonly node: string
  readonly rounds: number
  readonly skipThroughput: boolean
}

function readOptions(): BenchOptions {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', default: process.execPath },
      rounds: { type: 'string', default: '25' },
      'skip-throughput': { type: 'boolean', default: false },
    },
  })
  if (!/^[1-9]\d*$/.test(values.rounds)) throw new Error(`--rounds "${values.rounds}" is not a count`)
  return { node: values.node, rounds: Number(values.rounds), skipThroughput: values['skip-throughput'] }
}

async function measureAll(context: BenchContext, options: BenchOptions): Promise<string> {
  const machine = describeMachine(context)
  const rows: Row[] = []
  const notes: string[] = []
  tell(`start-up, ${options.rounds} rounds`)
  const startUp = await measureStartUp(context, options.rounds)
  rows.push(...startUp.rows)
  if (startUp.leftOut.length > 0) notes.push(`not installed, left out: ${startUp.leftOut.join(', ')}`)
  if (!options.skipThroughput) {
    tell('throughput')
    rows.push(...(await measureThroughput(context)))
    notes.push('tee keeps the whole 1 GiB; cronwrap keeps its first and last 5 MiB')
  }
  tell('crowd')
  const crowd = await measureCrowd(context)
  rows.push(...crowd.rows)
  if (crowd.complaint !== null) notes.push(`first complaint of the crowd: ${crowd.complaint}`)
  throwIfInterrupted()
  notes.push('ratio: time in relation to the first line of its part, median of the rounds’ ratios')
  return `\n${machine}\n\n${await formatRows(rows)}\n\n${notes.join('\n')}\n`
}

function describeMachine({ nodeVersion }: BenchContext): string {
  const [load = 0] = loadavg()
  const cpu = cpus()[0]?.model ?? 'unknown processor'
  return `cronwrap on Node ${nodeVersion}, ${process.platform}, ${availableParallelism()} x ${cpu}, load ${load.toFixed(1)}`
}

/** What takes the time meanwhile; stdout has the table alone. */
function tell(text: string): void {
  process.stderr.write(`measuring ${text} …\n`)
}

async function main(): Promise<void> {
  const options = readOptions()
  endChildrenOnSignal()
  const context = createContext(options.node)
  try {
    process.stdout.write(await measureAll(context, options))
  } finally {
    context.remove()
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
