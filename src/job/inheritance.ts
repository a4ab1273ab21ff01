import * as fs from 'node:fs'
import { basename } from 'node:path'
import { findProgram } from '../platform/find-program.ts'
import { listDirectory } from '../platform/list-directory.ts'

/**
 * What Node takes from a program's inheritance, given back to the job: descriptors above 2, which Node
 * marks close-on-exec, and a HUP ignored by nohup(1), which it resets and nohup itself sets again. And a umask that we cannot use.
 */
export interface Inheritance {
  /** Put before the job's command; empty when there is nothing to restore. */
  readonly prefix: readonly string[]
  /** Descriptors above 2 that we were given. */
  readonly descriptors: readonly number[]
  readonly ignoresHangup: boolean
}

export const NOTHING_INHERITED: Inheritance = { prefix: [], descriptors: [], ignoresHangup: false }

export function readInheritance(env: NodeJS.ProcessEnv): Inheritance {
  const ignoresHangup = startedByNohup(env)
  const nohup = ignoresHangup ? findProgram('nohup', env) : null
  const prefix = [...restoreUmask(env), ...(nohup === null ? [] : [nohup, '--'])]
  return { prefix, descriptors: inheritedDescriptors(), ignoresHangup }
}

/** Under a umask that takes our own files from us we use another one, and a shell gives the job its own. */
function restoreUmask(env: NodeJS.ProcessEnv): string[] {
  const umask = process.umask(0o077)
  const shell = (umask & 0o700) === 0 ? null : findProgram('sh', env)
  if (shell !== null) return [shell, '-c', `umask ${umask.toString(8)}; exec "$@"`, 'sh']
  process.umask(umask)
  return []
}

/**
 * nohup(1) leaves two traces: shells name it in `_`, and it opens /dev/null write-only as the
 * standard input of a program that had a terminal. The ignored signal itself is gone: Node resets it.
 */
function startedByNohup(env: NodeJS.ProcessEnv): boolean {
  return (
    basename(env['_'] ?? '') === 'nohup' ||
    (linkTarget(0) === '/dev/null' && (openFlags(0) & 0o3) === fs.constants.O_WRONLY)
  )
}

function inheritedDescriptors(): number[] {
  // Without /proc, descriptors above 2 are not passed on.
  const targets = listDirectory('/proc/self/fd').map((name) => [Number(name), linkTarget(Number(name))] as const)
  return targets.filter(([fd, target]) => fd > 2 && target !== null && !isOurs(target, targets)).map(([fd]) => fd)
}

/** Node's own descriptors: event queues, and pipes to itself, of which it holds both ends. */
function isOurs(target: string, targets: ReadonlyArray<readonly [number, string | null]>): boolean {
  if (target.startsWith('anon_inode:')) return true
  return target.startsWith('pipe:') && targets.filter(([, other]) => other === target).length > 1
}

function linkTarget(fd: number): string | null {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return null // Closed meanwhile: the descriptor of the listing itself.
  }
}

function openFlags(fd: number): number {
  return parseInt(/^flags:\s+(\d+)/m.exec(readProc(`/proc/self/fdinfo/${fd}`))?.[1] ?? '0', 8)
}

function readProc(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch {
    return '' // No /proc, or not ours to read.
  }
}
