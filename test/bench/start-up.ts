import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { findProgram } from '../../src/platform/find-program.ts'
import { bareEnvironment, createBase, expectRecorded, type BenchContext } from './bench-context.ts'
import { median, medianRatio, timeRun } from './measure.ts'
import { budget, type Row } from './row.ts'

interface Contestant {
  readonly name: string
  readonly command: readonly string[]
  readonly maxRatio?: number
}

/** What a job that does nothing takes, from start to end: the price of each tick. */
export async function measureStartUp(
  context: BenchContext,
  rounds: number,
): Promise<{ rows: Row[]; leftOut: readonly string[] }> {
  const base = createBase(context, 'start-up')
  const env = bareEnvironment(context, base)
  const reference = { name: 'node -e 0', command: [context.node, '-e', '0'] }
  const { peers, leftOut } = findPeers(context)
  const contestants: Contestant[] = [
    reference,
    { name: 'cronwrap -- true', command: [...context.cronwrap, '--', 'true'], maxRatio: maxRatio(context) },
    ...peers,
  ]
  const times = new Map<string, number[]>(contestants.map(({ name }) => [name, []]))
  // The first round fills the caches and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const { name, command } of contestants) {
      const ms = await timeRun(command, { env })
      if (round > 0) times.get(name)?.push(ms)
    }
  }
  expectRecorded(base, rounds + 1)
  const bases = times.get(reference.name) ?? []
  const rows = contestants.map((contestant) => rowOf(contestant, times.get(contestant.name) ?? [], bases))
  return { rows: [{ what: `START-UP (rounds: ${rounds})` }, ...rows], leftOut }
}

/** Later versions of Node start sooner, and what we add does not shrink as much. */
function maxRatio({ nodeVersion }: BenchContext): number {
  return Number.parseInt(nodeVersion, 10) < 24 ? 1.5 : 1.9
}

function findPeers(context: BenchContext): { peers: readonly Contestant[]; leftOut: readonly string[] } {
  const chronic = findProgram('chronic', process.env)
  const python = findPython()
  const script = join(import.meta.dirname, 'original.py')
  const commands = [
    ['chronic', 'chronic true', chronic, ['true']],
    ['python3', 'python3 original.py', python, [script, createBase(context, 'original'), 'true']],
  ] as const
  return {
    peers: commands.flatMap(([, name, path, args]) => (path === null ? [] : [{ name, command: [path, ...args] }])),
    leftOut: commands.flatMap(([program, , path]) => (path === null ? [program] : [])),
  }
}

/** The interpreter itself: what a version manager puts on the PATH is a shell script that takes longer than Python. */
function findPython(): string | null {
  if (findProgram('python3', process.env) === null) return null
  try {
    return execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return null // A version manager without a version.
  }
}

function rowOf({ name, maxRatio: limit }: Contestant, times: readonly number[], bases: readonly number[]): Row {
  const ratio = medianRatio(times, bases)
  return {
    what: name,
    result: `${median(times).toFixed(1)} ms`,
    ratio,
    ...(limit === undefined ? {} : { budget: budget.atMostRatio(ratio, limit) }),
  }
}
