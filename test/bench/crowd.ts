import { closeSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { bareEnvironment, createBase, readTotals, type BenchContext } from './bench-context.ts'
import { start, timeRun, type Ended } from './measure.ts'
import { budget, type Row } from './row.ts'

const RUNS = 200
const START_LIMIT_MS = 120_000
/** Says that it is there, then waits for the end of its input. */
const JOB = ': > "$1/$$"; read -r line || :'

/** Many runs of one job that end together, and all have to put their outcome into the same files. */
export async function measureCrowd(context: BenchContext): Promise<{ rows: Row[]; complaint: string | null }> {
  const base = createBase(context, 'crowd')
  const arrivals = join(base, 'arrivals')
  const messages = join(base, 'messages')
  mkdirSync(arrivals)
  const env = bareEnvironment(context, base)
  const gate = await createGate(join(base, 'gate'), env)
  const stderr = openSync(messages, 'a')
  const command = [...context.cronwrap, '--job', 'crowd', '--', 'sh', '-c', JOB, 'sh', arrivals]
  const ended: Promise<Ended>[] = []
  let releasedAt: number
  let results: readonly Ended[]
  try {
    for (let run = 0; run < RUNS; run++) {
      ended.push(start(command, { env, stdio: [gate.input, 'ignore', stderr] }).ended)
      // Lets signals in: starting them all at a stretch would take a second.
      await sleep(1)
    }
    await waitForAll(arrivals, ended)
  } finally {
    releasedAt = performance.now()
    gate.open()
    results = await Promise.all(ended)
    for (const fd of [gate.input, stderr]) closeSync(fd)
  }
  const seconds = (performance.now() - releasedAt) / 1000
  return report(base, seconds, results, readFileSync(messages, 'utf8'))
}

/**
 * One input for all, that ends when we close our side of it: they are released at the same moment, at
 * no cost while they wait, and also if we are killed.
 */
async function createGate(path: string, env: NodeJS.ProcessEnv): Promise<{ input: number; open: () => void }> {
  await timeRun(['mkfifo', path], { env })
  // First for both directions: to open one end only waits for the other.
  const ourSide = openSync(path, 'r+')
  return { input: openSync(path, 'r'), open: () => closeSync(ourSide) }
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
