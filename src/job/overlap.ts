import { join } from 'node:path'
import { makeDirectory } from '../platform/make-directory.ts'
import {
  rewriteGenerationLock,
  tryGenerationLock,
  type LockAttempt,
  type LockOwner,
} from '../platform/generation-lock.ts'
import { livenessOf, ownIdentity, readProcessStat, type ProcessIdentity } from '../platform/process-identity.ts'
import { listProcesses, signalProcess, withDescendants } from '../platform/process-tree.ts'
import { monotonicMs } from '../platform/clock.ts'
import { listRunning } from '../record/read-records.ts'
import type { JobSpec } from './job-spec.ts'
import type { SignalRelay } from './signals.ts'

const POLL_MS = 100

export type Entry =
  | {
      readonly kind: 'entered'
      /** Why other runs could not be ruled out; null when they were. */
      readonly problem: string | null
      readonly onStart: (pid: number) => void
      readonly leave: () => void
    }
  | { readonly kind: 'occupied'; readonly runId: string }

/**
 * Decides what happens while another run of the job is going: `skip` gives way, `wait` waits
 * for it, `replace` ends it first. Returns early when a signal asks us to end.
 * @throws when the lock cannot be used; the caller then runs the job all the same
 */
export async function enterJob(spec: JobSpec, runId: string, relay: SignalRelay): Promise<Entry> {
  const { home, job, options } = spec
  const directory = join(home.running, '.overlap')
  makeDirectory(directory)
  const owner: LockOwner = { ...ownIdentity(), run_id: runId }
  const eviction = new Eviction(options.killAfterMs)
  const isGone = (holder: LockOwner): boolean => isOver(spec, holder)
  for (let held = false; ;) {
    const attempt: LockAttempt = held ? { kind: 'held' } : tryGenerationLock(directory, job, owner, isGone)
    held = attempt.kind === 'held'
    // With the lock held, runs that were started without one are the only others.
    const other =
      attempt.kind === 'busy' ? attempt.owner : listRunning(home).find(({ manifest }) => manifest.job === job)?.manifest
    if (other === undefined) break
    if (options.overlap === 'skip' || relay.interruptedBy !== null) {
      if (held) rewriteGenerationLock(directory, job, runId, null)
      return { kind: 'occupied', runId: other.run_id }
    }
    if (options.overlap === 'replace') eviction.press(other)
    await relay.sleep(POLL_MS)
  }
  return {
    kind: 'entered',
    problem: null,
    onStart: (pid) =>
      quietly(() => rewriteGenerationLock(directory, job, runId, { ...owner, child: identityOf(owner, pid) })),
    leave: () => quietly(() => rewriteGenerationLock(directory, job, runId, null)),
  }
}

/** Neither the wrapper nor its job lives. Where we cannot look, a run counts while its wrapper shows that it is alive. */
function isOver({ home }: JobSpec, holder: LockOwner): boolean {
  const [wrapper, child] = [livenessOf(holder), holder.child === undefined ? 'dead' : livenessOf(holder.child)]
  if (wrapper === 'unknown') return !listRunning(home).some(({ manifest }) => manifest.run_id === holder.run_id)
  return wrapper === 'dead' && child !== 'alive'
}

function identityOf(owner: ProcessIdentity, pid: number): ProcessIdentity {
  const { boot, namespace, host } = owner
  return { boot, namespace, host, pid, start: readProcessStat(pid)?.start ?? null }
}

/** The place is then free, or seen to be free, because its owner has ended; nothing of the job depends on it. */
function quietly(action: () => void): void {
  try {
    action()
  } catch {
    // The base directory has gone, or is full.
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
    const living = [owner, owner.child]
      .filter((each) => each !== undefined)
      .filter((each) => livenessOf(each) === 'alive')
    const since = this.#since.get(owner.run_id)
    const roots = living.map(({ pid, start }) => ({ pid, parent: 0, start: start ?? '' }))
    if (since === undefined) {
      this.#since.set(owner.run_id, monotonicMs())
      // Of an orphan there is only the job itself to tell.
      if (roots[0] !== undefined) signalProcess(roots[0], 'SIGTERM')
    } else if (monotonicMs() - since > this.#killAfterMs) {
      const tree = withDescendants(
        roots.map(({ pid }) => pid),
        listProcesses(),
      )
      // The job first: once its wrapper is gone it would be out of sight.
      for (const entry of tree.toReversed()) signalProcess(entry, 'SIGKILL')
    }
  }
}
