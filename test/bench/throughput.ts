import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { bareEnvironment, createBase, expectRecorded, type BenchContext } from './bench-context.ts'
import { median, medianRatio, timeRun, timeRunWithMemory } from './measure.ts'
import { budget, mib, type Row } from './row.ts'

const ROUNDS = 3
const MIB_EACH = 1024
const JOB = `head -c ${MIB_EACH * 1024 * 1024} /dev/zero`
const MAX_RATIO = 1.5
const MAX_MEMORY_MIB = 100

/** A job that prints a lot, beside the plainest way to keep what it prints. */
export async function measureThroughput(context: BenchContext): Promise<Row[]> {
  const base = createBase(context, 'throughput')
  const env = bareEnvironment(context, base)
  const file = join(context.directory, 'tee')
  const teeTimes: number[] = []
  const ourTimes: number[] = []
  const peaks: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    teeTimes.push(await timeRun(['sh', '-c', `${JOB} | tee "$1" > /dev/null`, 'sh', file], { env }))
    // Else the system would be writing it out while the next one is measured.
    rmSync(file)
    const { ms, peakBytes } = await timeRunWithMemory([...context.cronwrap, '--', 'sh', '-c', JOB], { env })
    ourTimes.push(ms)
    if (peakBytes !== null) peaks.push(peakBytes)
  }
  expectRecorded(base, ROUNDS)
  const ratio = medianRatio(ourTimes, teeTimes)
  return [
    { what: `THROUGHPUT of 1 GiB (rounds: ${ROUNDS})` },
    { what: `${JOB} | tee FILE`, result: speed(teeTimes), ratio: 1 },
    {
      what: `cronwrap -- sh -c '${JOB}'`,
      result: speed(ourTimes),
      ratio,
      budget: budget.atMostRatio(ratio, MAX_RATIO),
    },
    memoryRow(peaks),
  ]
}

function speed(times: readonly number[]): string {
  return `${Math.round((MIB_EACH / median(times)) * 1000)} MiB/s`
}

function memoryRow(peaks: readonly number[]): Row {
  const what = 'most memory that cronwrap held'
  if (peaks.length === 0) return { what, result: 'unknown without /proc' }
  const peak = Math.max(...peaks)
  return { what, result: mib(peak), budget: budget.belowMib(peak, MAX_MEMORY_MIB) }
}
