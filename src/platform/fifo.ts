import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { listDirectory } from './list-directory.ts'
import { makeDirectory } from './make-directory.ts'

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = fs.constants
/** Enough for the jobs that run at once on one machine; the rest make their own and drop them. */
const POOL_LIMIT = 32

/** A real pipe: the child gets `writeFd`, we read `readFd`. */
export interface Fifo {
  readonly path: string
  readonly readFd: number
  readonly writeFd: number
}

/**
 * Makes the named FIFOs, taking them from the pool directory where it can: mkfifo(1) costs about
 * as much as a twentieth of starting Node, two renames cost nothing. rename(2) gives each pool
 * file to one taker only. Returns false where FIFOs cannot be made.
 */
export function makeFifos(paths: readonly string[], poolDirectory: string | null): boolean {
  const missing = paths.filter((path) => poolDirectory === null || !takeFromPool(poolDirectory, path))
  if (missing.length === 0) return true
  const { status } = spawnSync('mkfifo', ['-m', '600', ...missing], { stdio: 'ignore' })
  return status === 0
}

function takeFromPool(poolDirectory: string, path: string): boolean {
  for (const name of listDirectory(poolDirectory)) {
    try {
      fs.renameSync(join(poolDirectory, name), path)
      return true
    } catch {
      continue // Another run took it first.
    }
  }
  return false
}

/** Opens both ends of a FIFO without waiting for anybody. */
export function openFifo(path: string): Fifo {
  const readFd = fs.openSync(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
  try {
    if (!fs.fstatSync(readFd).isFIFO()) throw new Error(`${path} is not a FIFO`)
    return { path, readFd, writeFd: fs.openSync(path, O_WRONLY) }
  } catch (error) {
    fs.closeSync(readFd)
    throw error
  }
}

/**
 * Keeps FIFOs for the next run. Only call this after end of file was read and the read end is
 * closed: then no process has them open, and no earlier job can write into a later one's output.
 */
export function returnFifos(paths: readonly string[], poolDirectory: string, label: string): void {
  makeDirectory(poolDirectory)
  if (fs.readdirSync(poolDirectory).length >= POOL_LIMIT) return
  paths.forEach((path, index) => fs.renameSync(path, join(poolDirectory, `${label}.${index}`)))
}
