import * as fs from 'node:fs'
import { join } from 'node:path'
import { createExclusively, readBounded, replaceFile } from './atomic-file.ts'
import type { ProcessIdentity } from './process-identity.ts'

const MAX_OWNER_BYTES = 64 * 1024

export interface LockOwner extends ProcessIdentity {
  readonly run_id: string
  /** The job itself: it may live on when its wrapper was killed. */
  readonly child?: ProcessIdentity
}

export type LockAttempt = { readonly kind: 'held' } | { readonly kind: 'busy'; readonly owner: LockOwner }

/**
 * A lock for hours: who holds it is written in it, so a dead holder is recognised at once.
 *
 * The lock is the highest numbered file `name.<n>`. It is free when its owner is gone. To take
 * it, link(2) creates number n+1, which only one process can; then older numbers are removed. The
 * highest is never removed, so a number is never used twice. A process that was stopped between
 * looking and linking may create a number that had been removed: it then sees a higher one and withdraws.
 * @throws when the directory cannot be used
 */
export function tryGenerationLock(
  directory: string,
  name: string,
  owner: LockOwner,
  isGone: (owner: LockOwner) => boolean,
): LockAttempt {
  for (;;) {
    const highest = highestGeneration(directory, name)
    const holder = highest === 0 ? null : readOwner(join(directory, `${name}.${highest}`))
    if (holder !== null && !isGone(holder)) return { kind: 'busy', owner: holder }
    const mine = join(directory, `${name}.${highest + 1}`)
    if (!createExclusively(mine, JSON.stringify(owner))) continue
    if (highestGeneration(directory, name) > highest + 1) {
      fs.rmSync(mine, { force: true })
      continue
    }
    for (const number of generations(directory, name)) {
      if (number <= highest) fs.rmSync(join(directory, `${name}.${number}`), { force: true })
    }
    return { kind: 'held' }
  }
}

/** Writes down more of the owner while it holds the lock; `null` frees the lock, whose file stays so that its number is not used again. */
export function rewriteGenerationLock(directory: string, name: string, runId: string, owner: LockOwner | null): void {
  const path = join(directory, `${name}.${highestGeneration(directory, name)}`)
  if (readOwner(path)?.run_id === runId) replaceFile(path, owner === null ? '' : JSON.stringify(owner))
}

function highestGeneration(directory: string, name: string): number {
  return Math.max(0, ...generations(directory, name))
}

function generations(directory: string, name: string): number[] {
  return fs.readdirSync(directory).flatMap((file) => {
    const number = file.startsWith(`${name}.`) ? file.slice(name.length + 1) : ''
    return /^\d+$/.test(number) ? [Number(number)] : []
  })
}

/** Null for a file that says nobody, or nothing we can read: then nobody holds it. */
function readOwner(path: string): LockOwner | null {
  try {
    const owner: unknown = JSON.parse(readBounded(path, MAX_OWNER_BYTES)?.toString('utf8') ?? 'null')
    return typeof owner === 'object' && owner !== null && 'run_id' in owner ? (owner as LockOwner) : null
  } catch {
    return null // Freed by its owner, or removed by the next.
  }
}
