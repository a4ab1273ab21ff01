import {
  listProcesses,
  signalProcess,
  withDescendants,
  withEnvironment,
  type TreeProcess,
} from '../platform/process-tree.ts'
import { schedule, sleep } from '../platform/clock.ts'
import { readProcessStat } from '../platform/process-identity.ts'

const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGCONT'] as const
type Forwarded = (typeof FORWARDED)[number]

/** These ask a job to end. */
const ENDING: ReadonlySet<Forwarded> = new Set(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'])
/** Long enough for a fork to be seen, short enough for a supervisor that sends KILL soon. */
const CHASE_ROUNDS = 3
const CHASE_PAUSE_MS = 10
/** These a terminal sends to its whole foreground group, so the job has them already. */
const FROM_TERMINAL: ReadonlySet<Forwarded> = new Set(['SIGINT', 'SIGQUIT', 'SIGWINCH'])

/**
 * Forwards our signals to the job and its descendants. We never act on them ourselves: how a job
 * ends is its own business, and escalation is the supervisor's.
 */
export class SignalRelay {
  /** The first signal that asked the job to end. */
  interruptedBy: NodeJS.Signals | null = null
  readonly #listeners: Array<[Forwarded, () => void]> = []
  /** Resolves with the first signal that asks us to end. */
  readonly interrupted: Promise<void>
  #note: (signal: NodeJS.Signals) => void = () => undefined
  #jobPid: number | null = null
  /** All processes that were there when a signal that asks to end was forwarded. */
  #told: Set<string> | null = null
  #early: Forwarded[] = []
  #interrupt: () => void = () => undefined

  constructor() {
    this.interrupted = new Promise((resolve) => (this.#interrupt = resolve))
  }

  /** @param note called synchronously in the signal's handler: a KILL may follow in 300 ms */
  onInterruption(note: (signal: NodeJS.Signals) => void): void {
    this.#note = note
    if (this.interruptedBy !== null) note(this.interruptedBy)
  }

  /** @param ignoresHangup started by nohup(1): HUP is nobody's business */
  listen(ignoresHangup: boolean): void {
    for (const signal of FORWARDED) {
      const listener = ignoresHangup && signal === 'SIGHUP' ? () => undefined : () => this.#receive(signal)
      process.on(signal, listener)
      this.#listeners.push([signal, listener])
    }
  }

  /** The job runs: what came before it goes to it now. */
  attach(pid: number): void {
    this.#jobPid = pid
    for (const signal of this.#early.splice(0)) this.#forward(signal, pid)
  }

  detach(): void {
    this.#jobPid = null
  }

  /**
   * Call when the job has ended. A process that was forked while the signal went round has missed it, and its
   * parent may be gone: it is known by the mark of the run, and by not having been there before.
   */
  async chase(mark: string): Promise<void> {
    if (this.#told === null || this.interruptedBy === null) return
    for (let round = 0; round < CHASE_ROUNDS; round++) {
      const told = this.#told
      const missed = withEnvironment(
        mark,
        listProcesses().filter((entry) => !told.has(nameOf(entry))),
      )
      for (const entry of missed) {
        told.add(nameOf(entry))
        signalProcess(entry, this.interruptedBy)
      }
      await sleep(CHASE_PAUSE_MS)
    }
  }

  /** Waits, but no longer than until a signal asks us to end. */
  async sleep(durationMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = schedule(resolve, durationMs)
      void this.interrupted.then(() => {
        cancel()
        resolve()
      })
    })
  }

  dispose(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener)
  }

  #forward(signal: Forwarded, jobPid: number): void {
    const table = listProcesses()
    if (ENDING.has(signal)) this.#told ??= new Set(table.map(nameOf))
    for (const entry of withDescendants([jobPid], table)) signalProcess(entry, signal)
  }

  #receive(signal: Forwarded): void {
    if (ENDING.has(signal) && this.interruptedBy === null) {
      this.interruptedBy = signal
      this.#note(signal)
      this.#interrupt()
    }
    if (FROM_TERMINAL.has(signal) && inForeground()) return
    if (this.#jobPid === null) this.#early.push(signal)
    else this.#forward(signal, this.#jobPid)
  }
}

function nameOf({ pid, start }: TreeProcess): string {
  return `${pid}:${start}`
}

function inForeground(): boolean {
  const stat = readProcessStat(process.pid)
  return stat !== null && stat.foregroundGroup === stat.group
}
