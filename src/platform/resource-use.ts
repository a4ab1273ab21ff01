import * as fs from 'node:fs'
import { readOrNull } from './process-identity.ts'

/** USER_HZ: 100 on every Linux that Node runs on, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100

/**
 * Time on the processor, in milliseconds, of all children of this process that have ended, and of
 * those of their descendants that they waited for; null where there is no /proc. Counted in 10 ms.
 */
export function endedChildrenCpuMs(): number | null {
  const text = readOrNull('/proc/self/stat')
  if (text === null) return null
  // Fields 16 and 17, cutime and cstime; the name in field 2 may hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[13]) + Number(fields[14])) * 1000) / TICKS_PER_SECOND
}

export interface MemoryUse {
  /** Of the process and its descendants together, at this moment. */
  readonly residentBytes: number
  /** The most that any single one of them ever had. */
  readonly highWaterBytes: number
}

/** The memory of a process and its descendants; null when it has ended, or where there is no /proc. */
export function memoryOfTree(pid: number): MemoryUse | null {
  let residentBytes = 0
  let highWaterBytes = 0
  const queue = [pid]
  for (const each of queue) {
    const status = readOrNull(`/proc/${each}/status`)
    if (status === null) continue
    residentBytes += sizeIn(status, 'VmRSS')
    highWaterBytes = Math.max(highWaterBytes, sizeIn(status, 'VmHWM'))
    queue.push(...childrenOf(each))
  }
  return highWaterBytes === 0 ? null : { residentBytes, highWaterBytes }
}

function sizeIn(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024
}

/** Each thread has its own list; reading them is far cheaper than looking at all processes. */
function childrenOf(pid: number): number[] {
  let threads: string[]
  try {
    threads = fs.readdirSync(`/proc/${pid}/task`)
  } catch {
    return [] // It has ended.
  }
  return threads.flatMap((thread) =>
    (readOrNull(`/proc/${pid}/task/${thread}/children`) ?? '').split(' ').filter(Boolean).map(Number),
  )
}
