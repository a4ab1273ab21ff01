import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'

/** Nothing here takes minutes, on the slowest machine, unless it hangs. */
const HANGS_AFTER_MS = 300_000
const POLL_MS = 20

export interface StartOptions {
  readonly env: NodeJS.ProcessEnv
  readonly stdio?: StdioOptions
}

export interface Ended {
  readonly ms: number
  /** Why this was no success; null when it was. */
  readonly failure: string | null
}

export interface Started {
  readonly pid: number | null
  /** Never rejects. */
  readonly ended: Promise<Ended>
}

const live = new Set<ChildProcess>()
let interrupted = false

/** What is running is ended first, so that nobody writes to the directory that is then removed. */
export function endChildrenOnSignal(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      interrupted = true
      for (const child of live) child.kill('SIGTERM')
    })
  }
}

/** @throws Error once a signal has asked us to end */
export function throwIfInterrupted(): void {
  if (interrupted) throw new Error('interrupted')
}

export function start([program = '', ...args]: readonly string[], options: StartOptions): Started {
  throwIfInterrupted()
  const startedAt = performance.now()
  const child = spawn(program, args, { stdio: 'ignore', timeout: HANGS_AFTER_MS, ...options })
  live.add(child)
  const ended = once(child, 'exit')
    .then(
      ([code, signal]: unknown[]) => (code === 0 ? null : `ended with ${String(signal ?? code)}`),
      (error: unknown) => String(error),
    )
    .then((failure) => {
      live.delete(child)
      return { ms: performance.now() - startedAt, failure }
    })
  return { pid: child.pid ?? null, ended }
}

/**
 * @returns its wall time in milliseconds
 * @throws Error when it fails: what did not do its work is not worth measuring
 */
export async function timeRun(command: readonly string[], options: StartOptions): Promise<number> {
  return timeOf(command, await start(command, options).ended)
}

/** As {@link timeRun}, with the most memory that this process itself, not its children, ever held; null without /proc. */
export async function timeRunWithMemory(
  command: readonly string[],
  options: StartOptions,
): Promise<{ ms: number; peakBytes: number | null }> {
  const { pid, ended } = start(command, options)
  let peakBytes: number | null = null
  const poll = setInterval(() => (peakBytes = readPeakBytes(pid) ?? peakBytes), POLL_MS)
  const end = await ended
  clearInterval(poll)
  return { ms: timeOf(command, end), peakBytes }
}

function timeOf(command: readonly string[], { ms, failure }: Ended): number {
  if (failure !== null) throw new Error(`${command.join(' ')}: ${failure}`)
  return ms
}

function readPeakBytes(pid: number | null): number | null {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kilobytes === undefined ? null : Number(kilobytes) * 1024
  } catch {
    return null // It has ended, or this system has no /proc.
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

/** Of the rounds' ratios, since both of a pair ran under the same load. */
export function medianRatio(values: readonly number[], bases: readonly number[]): number {
  return median(values.map((value, round) => value / (bases[round] ?? NaN)))
}
