import { endedChildrenCpuMs, memoryOfTree } from '../platform/resource-use.ts'

const FIRST_LOOK_MS = 20
const LONGEST_PAUSE_MS = 1_000

export interface ResourceUse {
  readonly cpuMs: number | null
  readonly maxMemoryBytes: number | null
}

/**
 * What one attempt uses. The kernel tells the time on the processor once the job has ended; memory
 * has to be looked at while it lives, often at first and then once a second. Node does not give the
 * ru_maxrss of children, and a process that has ended has no memory to be read.
 */
export class ResourceWatch {
  readonly #cpuBefore: number | null
  #timer: NodeJS.Timeout | undefined
  #maxMemoryBytes: number | null = null

  /** @param ownsChildren no other child of this process ends meanwhile, so that what is counted is the job's */
  constructor(ownsChildren: boolean) {
    this.#cpuBefore = ownsChildren ? endedChildrenCpuMs() : null
  }

  watch(pid: number): void {
    const look = (pauseMs: number): void => {
      const use = memoryOfTree(pid)
      if (use !== null) {
        this.#maxMemoryBytes = Math.max(this.#maxMemoryBytes ?? 0, use.residentBytes, use.highWaterBytes)
      }
      this.#timer = setTimeout(() => look(Math.min(2 * pauseMs, LONGEST_PAUSE_MS)), pauseMs)
    }
    this.#timer = setTimeout(() => look(FIRST_LOOK_MS), FIRST_LOOK_MS)
  }

  /** Call when the job has ended. */
  stop(): ResourceUse {
    clearTimeout(this.#timer)
    const after = this.#cpuBefore === null ? null : endedChildrenCpuMs()
    const cpuMs = after === null || this.#cpuBefore === null ? null : Math.max(0, after - this.#cpuBefore)
    return { cpuMs, maxMemoryBytes: this.#maxMemoryBytes }
  }
}

/** Of two attempts of one run. */
export function addUse(a: ResourceUse | null, b: ResourceUse): ResourceUse {
  if (a === null) return b
  return {
    cpuMs: a.cpuMs === null || b.cpuMs === null ? null : a.cpuMs + b.cpuMs,
    maxMemoryBytes:
      a.maxMemoryBytes === null || b.maxMemoryBytes === null
        ? (a.maxMemoryBytes ?? b.maxMemoryBytes)
        : Math.max(a.maxMemoryBytes, b.maxMemoryBytes),
  }
}
