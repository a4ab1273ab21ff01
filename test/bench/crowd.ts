import { closeSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { bareEnvironment, createBase, readTotals, type BenchContext } from './bench-context.ts'
import { start, timeRun, type Ended } from './measure.ts'
import { budget, type Row } from './row.ts'

const RUNS = 200
const START_LIMIT_MS = 120_000
// Waiting to open a fifo costs nothing, and all who wait are released at once; 200 loops around `sleep` would
// keep the machine from starting the rest.
const JOB = ': > "$1/$$"; : < "$2"'

/** Many runs of one job that end together, and all have to put their outcome into the same files. */
export async function measureCrowd(context: BenchContext): Promise<{ rows: Row[]; complaint: string | null }> {
  const base = createBase(context, 'crowd')
  const arrivals = join(base, 'arrivals')
  const gate = join(base, 'gate')
  const messages = join(base, 'messages')
  mkdirSync(arrivals)
  const env = bareEnvironment(context, base)
  await timeRun(['mkfifo', gate], { env })
  const command = [...context.cronwrap, '--job', 'crowd', '--', 'sh', '-c', JOB, 'sh', arrivals, gate]
  const stderr = openSync(messages, 'a')
  const ended: Promise<Ended>[] = []
  let releasedAt: number
  let results: readonly Ended[]
  try {
    for (let run = 0; run < RUNS; run++) ended.push(start(command, { env, stdio: ['ignore', 'ignore', stderr] }).ended)
    await waitForAll(arrivals, ended)
  } finally {
    releasedAt = performance.now()
    // For reading too: a fifo that is opened for writing only waits for a reader.
    const openGate = openSync(gate, 'r+')
    results = await Promise.all(ended)
    closeSync(openGate)
    closeSync(stderr)
  }
  const seconds = (performance.now() - releasedAt) / 1000
  return report(base, seconds, results, readFileSync(messages, 'utf8'))
}

/** Until each run has come to its job, or has ended without. */
async function waitForAll(arrivals: string, ended: readonly Promise<Ended>[]): Promise<void> {
  let gone = 0
  for (const end of ended) void end.then(() => gone++)
  const deadline = performance.now() + START_LIMIT_MS
  for (;;) {
    const arrived = readdirSync(arrivals).length
    if (arrived + gone >= RUNS) return
    if (performance.now() > deadline) throw new Error(`only ${arrived} of ${RUNS} runs came to their job`)
    await sleep(20)
  }
}

function report(
  base: string,
  seconds: number,
  results: readonly Ended[],
  messages: string,
): { rows: Row[]; complaint: string | null } {
  const lost = RUNS - readTotals(base).runs
  const failed = results.filter(({ failure }) => failure !== null)
  const lines = messages.split('\n').filter((line) => line !== '')
  const troubles = Math.max(failed.length, lines.length)
  return {
    rows: [
      { what: `CROWD of ${RUNS} runs that end together` },
      { what: 'from their release until the last has ended', result: `${seconds.toFixed(1)} s` },
      { what: 'lost updates', result: String(lost), budget: budget.none(lost) },
      { what: 'runs that failed or complained', result: String(troubles), budget: budget.none(troubles) },
    ],
    complaint: lines[0] ?? failed[0]?.failure ?? null,
  }
}
