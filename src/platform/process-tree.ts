import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { isOver, readProcessStat } from './process-identity.ts'

export interface TreeProcess {
  readonly pid: number
  readonly parent: number
  /** Empty where there is no /proc. */
  readonly start: string
}

/** All processes that have not ended. */
export function listProcesses(): TreeProcess[] {
  let names: string[]
  try {
    names = fs.readdirSync('/proc')
  } catch {
    return listWithPs()
  }
  const processes: TreeProcess[] = []
  for (const name of names) {
    const stat = /^\d+$/.test(name) ? readProcessStat(Number(name)) : null
    if (stat !== null && !isOver(stat.state)) processes.push(stat)
  }
  return processes.length > 0 ? processes : listWithPs()
}

/** macOS has no /proc; ps(1) is POSIX. */
function listWithPs(): TreeProcess[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  return (stdout ?? '').split('\n').flatMap((line) => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number)
    return pid !== undefined && parent !== undefined && pid > 0 ? [{ pid, parent, start: '' }] : []
  })
}

/** The given processes and everything below them in the table. */
export function withDescendants(roots: readonly number[], table: readonly TreeProcess[]): TreeProcess[] {
  const children = new Map<number, TreeProcess[]>()
  for (const entry of table) children.set(entry.parent, [...(children.get(entry.parent) ?? []), entry])
  const found = new Map<number, TreeProcess>()
  const queue = table.filter((entry) => roots.includes(entry.pid))
  for (const entry of queue) {
    if (found.has(entry.pid)) continue
    found.set(entry.pid, entry)
    queue.push(...(children.get(entry.pid) ?? []))
  }
  return [...found.values()]
}

/**
 * The processes whose environment holds `name=value`. A daemon that left its parents keeps the
 * environment it was started with, so this finds what the walk of parents cannot.
 */
export function withEnvironment(variable: string, table: readonly TreeProcess[]): TreeProcess[] {
  const wanted = Buffer.from(`\0${variable}\0`)
  return table.filter(({ pid }) => {
    try {
      const environment = fs.readFileSync(`/proc/${pid}/environ`)
      return Buffer.concat([Buffer.of(0), environment]).includes(wanted)
    } catch {
      return false // Another user's process, one that just ended, or no /proc.
    }
  })
}

/** Whether this very process, not one that got its pid later, still runs. */
export function stillRuns(entry: TreeProcess): boolean {
  if (entry.start === '') return listProcesses().some(({ pid }) => pid === entry.pid)
  const stat = readProcessStat(entry.pid)
  return stat !== null && stat.start === entry.start && !isOver(stat.state)
}

/** Sends a signal to this very process; a pid that was reused, or has gone, is left alone. */
export function signalProcess(entry: TreeProcess, signal: NodeJS.Signals): void {
  if (entry.start !== '' && !stillRuns(entry)) return
  try {
    process.kill(entry.pid, signal)
  } catch {
    // It ended between the look and the signal, or changed its user; neither can be mended here.
  }
}
