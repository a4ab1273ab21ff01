import {
  listProcesses,
  signalProcess,
  stillRuns,
  withDescendants,
  withEnvironment,
  type TreeProcess,
} from '../platform/process-tree.ts'
import { monotonicMs, schedule, sleep } from '../platform/clock.ts'
import { readProcessStat } from '../platform/process-identity.ts'

const POLL_MS = 25
/** How long the dead may wait for their parents, or process 1, to take note of them. */
const REAP_MS = 2_000
/** A tree that forks while it is killed needs more than one look; one that never ends would be a fork bomb. */
const KILL_ROUNDS = 40

/**
 * Ends an attempt that takes too long: TERM to the job and all it started, KILL after a grace to
 * what is left. Daemons that left their parents are found by the run id in their environment.
 */
export class Deadline {
  timedOut = false
  readonly #pid: number
  readonly #mark: string
  readonly #killAfterMs: number
  readonly #cancel: () => void
  readonly #job: TreeProcess | undefined
  #tree: TreeProcess[] = []
  readonly #everSeen = new Map<string, TreeProcess>()
  #killAt = Infinity
  #enforcement: Promise<void> = Promise.resolve()

  /** @param mark `NAME=value` that every process of this run has in its environment */
  constructor(limits: { pid: number; mark: string; timeoutMs: number; killAfterMs: number }) {
    this.#pid = limits.pid
    this.#mark = limits.mark
    this.#killAfterMs = limits.killAfterMs
    this.#job = listProcesses().find(({ pid }) => pid === limits.pid)
    this.#cancel = schedule(() => this.#expire(), limits.timeoutMs)
  }

  /** Call when the job has ended; resolves when nothing of a timed-out job is left. */
  async settle(): Promise<void> {
    this.#cancel()
    await this.#enforcement
  }

  #expire(): void {
    // It may have ended in this very moment, before we heard of it.
    if (this.#job === undefined || !stillRuns(this.#job)) return
    this.timedOut = true
    this.#killAt = monotonicMs() + this.#killAfterMs
    for (const entry of this.#look()) {
      signalProcess(entry, 'SIGTERM')
      // A stopped process would not see the TERM.
      signalProcess(entry, 'SIGCONT')
    }
    this.#enforcement = this.#enforce()
  }

  async #enforce(): Promise<void> {
    for (let killed = 0; this.#look().length > 0 && killed < KILL_ROUNDS;) {
      if (monotonicMs() >= this.#killAt) {
        killed += 1
        for (const entry of this.#look()) signalProcess(entry, 'SIGKILL')
      }
      await sleep(POLL_MS)
    }
    await this.#untilReaped()
  }

  /** Who waits for our process group to be gone sees zombies too: OpenClaw drops the output of a command that leaves one. */
  async #untilReaped(): Promise<void> {
    const deadline = monotonicMs() + REAP_MS
    const isThere = ({ pid, start }: TreeProcess): boolean => pid !== this.#pid && readProcessStat(pid)?.start === start
    while ([...this.#everSeen.values()].some(isThere) && monotonicMs() < deadline) await sleep(POLL_MS)
  }

  /** All of the run that is alive: the job's descendants, those seen earlier, and those that carry the mark. */
  #look(): TreeProcess[] {
    const table = listProcesses()
    const seen = this.#tree.filter(stillRuns).map(({ pid }) => pid)
    const marked = withEnvironment(this.#mark, table).map(({ pid }) => pid)
    this.#tree = withDescendants([this.#pid, ...seen, ...marked], table).filter(({ pid }) => pid !== process.pid)
    for (const entry of this.#tree) this.#everSeen.set(`${entry.pid} ${entry.start}`, entry)
    return this.#tree
  }
}
