import * as fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { errnoOf } from '../errors.ts'
import { listDirectory } from './list-directory.ts'

let serial = 0

/** A name beside `path` that nobody else uses. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.${Date.now()}.${serial++}.tmp`)
}

/**
 * Writes a new file beside `path`, durable and 0600 or of the mode given, and returns its name. It is nobody's file
 * until it is renamed or linked; a writer killed in between leaves it to `removeStaleTemporaries`.
 */
function writeTemporary(path: string, content: string | Uint8Array, mode?: number): string {
  const temporary = temporaryPath(path)
  const fd = fs.openSync(temporary, 'wx', 0o600)
  try {
    // Not by open(2), where the umask takes rights away.
    if (mode !== undefined) fs.fchmodSync(fd, mode)
    // writeFileSync on a descriptor loops over short writes; a single fs.write would publish a truncated file.
    fs.writeFileSync(fd, content)
    fs.fsyncSync(fd)
  } catch (error) {
    fs.closeSync(fd)
    fs.rmSync(temporary, { force: true })
    throw error
  }
  fs.closeSync(fd)
  return temporary
}

export interface ReplaceOptions {
  /** Asked at the last moment; false leaves the old file. */
  readonly stillValid?: () => boolean
  /** Of the new file, whatever the umask; 0600 when missing. */
  readonly mode?: number
}

/**
 * Replaces the file: temporary, fsync, rename. Readers see the old or the new content.
 * @returns whether it did
 */
export function replaceFile(path: string, content: string | Uint8Array, options: ReplaceOptions = {}): boolean {
  const { stillValid = () => true, mode } = options
  const temporary = writeTemporary(path, content, mode)
  try {
    if (stillValid()) {
      fs.renameSync(temporary, path)
      return true
    }
  } catch (error) {
    fs.rmSync(temporary, { force: true })
    throw error
  }
  fs.rmSync(temporary, { force: true })
  return false
}

/**
 * Creates the file with this content unless it exists: temporary, fsync, link(2), which only one
 * of any number of callers wins. Returns whether it was this one.
 */
export function createExclusively(path: string, content: string | Uint8Array): boolean {
  const temporary = writeTemporary(path, content)
  try {
    fs.linkSync(temporary, path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  } finally {
    fs.rmSync(temporary, { force: true })
  }
}

/** Makes renames and new names in a directory survive a power cut. */
export function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** Removes temporaries of writers that were killed: those older than `olderThanMs`, of the one file named or of all. */
export function removeStaleTemporaries(directory: string, olderThanMs: number, now: Date, file?: string): number {
  let removed = 0
  for (const name of listDirectory(directory)) {
    const [, of, made] = /^\.(.+)\.\d+\.(\d+)\.\d+\.tmp$/.exec(name) ?? []
    if (made === undefined || now.getTime() - Number(made) < olderThanMs) continue
    if (file !== undefined && of !== file) continue
    fs.rmSync(join(directory, name), { force: true })
    removed += 1
  }
  return removed
}

/**
 * Reads a regular file of at most `maxBytes`; null when there is none.
 * The size is checked before reading: a view of gigabytes must cost an error, not the memory.
 */
export function readBounded(path: string, maxBytes: number): Buffer | null {
  let fd: number
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  } catch (error) {
    // A path below a file holds nothing either.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return null
    throw error
  }
  try {
    const stat = fs.fstatSync(fd)
    if (!stat.isFile()) throw new Error(`${path} is not a regular file`)
    if (stat.size > maxBytes) throw new Error(`${path} is larger than ${maxBytes} bytes`)
    return fs.readFileSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}
