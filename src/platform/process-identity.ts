import * as fs from 'node:fs'
import { hostname } from 'node:os'
import { errnoOf } from '../errors.ts'

/** Names one process for good: a pid alone is reused, after a reboot even soon. */
export interface ProcessIdentity {
  readonly pid: number
  /** Start time in clock ticks since boot (`/proc/<pid>/stat`, field 22); null where there is no /proc. */
  readonly start: string | null
  /** `/proc/sys/kernel/random/boot_id`; null where there is none. */
  readonly boot: string | null
  /** The pid namespace, so that a pid is not looked up in another container. */
  readonly namespace: string | null
  readonly host: string
}

/** `unknown`: the process lives, or lived, where we cannot look. */
export type Liveness = 'alive' | 'dead' | 'unknown'

/** This process. */
export function ownIdentity(): ProcessIdentity {
  return { ...here(), pid: process.pid, start: readProcessStat(process.pid)?.start ?? null }
}

export function livenessOf(identity: ProcessIdentity): Liveness {
  const now = here()
  if (identity.host !== now.host) return 'unknown'
  if (identity.boot !== now.boot) return 'dead'
  if (identity.namespace !== now.namespace) return 'unknown'
  if (identity.start === null) return answersSignals(identity.pid) ? 'alive' : 'dead'
  const stat = readProcessStat(identity.pid)
  return stat !== null && stat.start === identity.start && !isOver(stat.state) ? 'alive' : 'dead'
}

let cachedHere: Omit<ProcessIdentity, 'pid' | 'start'> | undefined

function here(): Omit<ProcessIdentity, 'pid' | 'start'> {
  cachedHere ??= {
    boot: readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? null,
    namespace: linkOrNull('/proc/self/ns/pid'),
    host: hostname(),
  }
  return cachedHere
}

export interface ProcessStat {
  readonly pid: number
  readonly parent: number
  readonly group: number
  /** The foreground process group of its terminal; -1 without one. */
  readonly foregroundGroup: number
  readonly state: string
  readonly start: string
}

/** `/proc/<pid>/stat`, or null when there is no such process or no /proc. */
export function readProcessStat(pid: number): ProcessStat | null {
  const text = readOrNull(`/proc/${pid}/stat`)
  if (text === null) return null
  // The command name may itself hold ") (": fields are counted from the last parenthesis.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return {
    pid,
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    foregroundGroup: Number(fields[5]),
    start: fields[19] ?? '',
  }
}

/** A zombie has ended; it only waits for its parent to look. */
export function isOver(state: string): boolean {
  return state === 'Z' || state === 'X'
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) === 'EPERM'
  }
}

/** A small file, of /proc mostly; null where it cannot be read. */
export function readOrNull(path: string): string | null {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch {
    return null // No such process, or no /proc on this system.
  }
}

function linkOrNull(path: string): string | null {
  try {
    return fs.readlinkSync(path)
  } catch {
    return null // As above.
  }
}
