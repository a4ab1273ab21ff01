import { join } from 'node:path'
import type { Home } from '../config/base-directory.ts'
import type { OverlapMode } from '../config/run-options.ts'
import { releaseGenerationLock, tryGenerationLock, type LockOwner } from '../platform/generation-lock.ts'
import { makeDirectory } from '../platform/make-directory.ts'
import { livenessOf, ownIdentity } from '../platform/process-identity.ts'
import { listProcesses, signalProcess, withDescendants } from '../platform/process-tree.ts'
import { monotonicMs, sleep } from '../platform/clock.ts'

const POLL_MS = 100

export type Entry =
  { readonly kind: 'entered'; readonly leave: () => void } | { readonly kind: 'occupied'; readonly runId: string }

/**
 * Decides what happens while another run of the job holds the place: `skip` gives way, `wait` waits
 * for it, `replace` ends it first. Only runs that were started with one of these modes are seen.
 * @throws when the lock cannot be used; the caller then runs the job all the same
 */
export async function enterJob(
  home: Home,
  job: string,
  runId: string,
  mode: OverlapMode,
  killAfterMs: number,
): Promise<Entry> {
  const directory = join(home.running, '.overlap')
  makeDirectory(directory)
  const owner: LockOwner = { ...ownIdentity(), run_id: runId }
  const eviction = new Eviction(killAfterMs)
  for (;;) {
    const attempt = tryGenerationLock(directory, job, owner)
    if (attempt.kind === 'held') return { kind: 'entered', leave: () => releaseGenerationLock(directory, job, owner) }
    if (mode === 'skip') return { kind: 'occupied', runId: attempt.owner.run_id }
    if (mode === 'replace') eviction.press(attempt.owner)
    await sleep(POLL_MS)
  }
}

/** TERM to the other wrapper, which passes it on; KILL to its whole tree after the grace. Its death is verified by the lock. */
class Eviction {
  readonly #killAfterMs: number
  readonly #since = new Map<string, number>()

  constructor(killAfterMs: number) {
    this.#killAfterMs = killAfterMs
  }

  press(owner: LockOwner): void {
    // A pid of another container or host names a different process here.
    if (livenessOf(owner) !== 'alive') return
    const since = this.#since.get(owner.run_id)
    if (since === undefined) {
      this.#since.set(owner.run_id, monotonicMs())
      signalProcess({ pid: owner.pid, parent: 0, start: owner.start ?? '' }, 'SIGTERM')
    } else if (monotonicMs() - since > this.#killAfterMs) {
      // The job first: once its wrapper is gone it would be out of sight.
      for (const entry of withDescendants([owner.pid], listProcesses()).toReversed()) signalProcess(entry, 'SIGKILL')
    }
  }
}
