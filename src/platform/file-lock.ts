import * as nodeFs from 'node:fs'
import { errnoOf } from '../errors.ts'
import { monotonicMs, sleep } from './clock.ts'

/** A holder that has not refreshed its lock for this long is taken for dead. */
const STALE_MS = 10_000
/** proper-lockfile itself sets a time up to 1 s ahead. */
const FUTURE_MS = 2_000
/** Longer than a dead holder blocks (stale time plus the up to 1 s that proper-lockfile's mtime runs ahead). */
const BUDGET_MS = 15_000
// Polling faster than this starves the holder: its own rmdir waits behind the pollers' mkdirs.
const FIRST_DELAY_MS = 20
const DELAY_STEP_MS = 10
const MAX_DELAY_MS = 150

export type LockResult<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'unneeded' }
  | { readonly kind: 'busy' }
  | { readonly kind: 'unavailable'; readonly error: unknown }

export interface LockOptions {
  /** Asked while others hold the lock; true means that one of them did the work. */
  readonly unneeded?: () => boolean
  /** Give up waiting, e.g. because a supervisor is about to kill us. */
  readonly hurry?: () => boolean
  readonly budgetMs?: number
}

/** Passed to the work: false once the lock is known to be lost. */
export type StillHeld = () => boolean

/** The only import of proper-lockfile, and late: it installs signal listeners. Call it early to have it at hand. */
export async function loadLockfile(): Promise<typeof import('proper-lockfile')> {
  const module: unknown = await import('proper-lockfile')
  return (module as { default: typeof import('proper-lockfile') }).default
}

/**
 * The calls it makes, done at once: starting the thread pool for them would cost each run more
 * than they take. A copy, because proper-lockfile keeps a note of its own on the object.
 */
const lockFs: object = {
  ...Object.fromEntries(
    (['realpath', 'rmdir', 'utimes'] as const).map((name) => [name, immediately(nodeFs[`${name}Sync`])]),
  ),
  mkdir: immediately((path: string) => nodeFs.mkdirSync(path, 0o700)),
  stat: immediately(statOfLock),
  rmdirSync: nodeFs.rmdirSync,
}

/** A lock from the future, left before the clock was set back, would never go stale: it is taken for old at once. */
function statOfLock(path: string): { mtime: Date } {
  const stat = nodeFs.lstatSync(path)
  // A file or a link in its place goes away by no waiting.
  if (!stat.isDirectory())
    throw Object.assign(new Error(`${path} is in the way: it is no directory`), { code: 'ENOTDIR' })
  const { mtime } = stat
  return { mtime: mtime.getTime() > Date.now() + FUTURE_MS ? new Date(0) : mtime }
}

type Callback = (error: unknown, value?: unknown) => void

function immediately(call: (...args: never[]) => unknown): (...args: unknown[]) => void {
  return (...args) => {
    const done = args.pop() as Callback
    let value: unknown
    try {
      value = call(...(args as never[]))
    } catch (error) {
      return done(error)
    }
    return done(null, value)
  }
}

/**
 * Runs `work` under the lock directory `path + '.lock'`. The lock only keeps writers from
 * wasting work: it can be stolen from a holder that was stopped for long, so `work` must be
 * correct without it. Errors of `work` are thrown; errors of locking are results.
 */
export async function withFileLock<T>(
  path: string,
  work: (held: StillHeld) => T | Promise<T>,
  options: LockOptions = {},
): Promise<LockResult<T>> {
  const lockfile = await loadLockfile()
  const deadline = monotonicMs() + (options.budgetMs ?? BUDGET_MS)
  for (let delay = FIRST_DELAY_MS; ; delay = Math.min(delay + DELAY_STEP_MS, MAX_DELAY_MS)) {
    let compromised = false
    let release: () => Promise<void>
    try {
      release = await lockfile.lock(path, {
        // proper-lockfile's own retries lose their jitter and also retry on errors that never heal.
        retries: 0,
        realpath: false,
        stale: STALE_MS,
        fs: lockFs,
        // The default handler throws from a timer and would kill the job's wrapper.
        onCompromised: () => {
          compromised = true
        },
      })
    } catch (error) {
      const busy = errnoOf(error) === 'ELOCKED' || errnoOf(error) === 'ENOENT'
      if (!busy) return { kind: 'unavailable', error }
      if (monotonicMs() + delay > deadline || options.hurry?.()) return { kind: 'busy' }
      await sleep(delay * (0.5 + Math.random()))
      if (options.unneeded?.()) return { kind: 'unneeded' }
      continue
    }
    try {
      return { kind: 'done', value: await work(() => !compromised) }
    } finally {
      // A failing release leaves a lock that goes stale by itself; the work is done either way.
      await release().catch(() => undefined)
    }
  }
}
