import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { errnoOf, messageOf } from '../errors.ts'
import { makeFifos, openFifo, returnFifos, type Fifo } from '../platform/fifo.ts'
import { explainUnusable } from '../platform/find-program.ts'
import type { Inheritance } from './inheritance.ts'
import type { AttemptExit } from './outcome.ts'

/** A long PATH says no more than its beginning in a message for people. */
const MAX_PATH_SHOWN = 120

export interface ChildRequest {
  readonly command: readonly string[]
  readonly cwd: string | null
  readonly env: NodeJS.ProcessEnv
  readonly inheritance: Inheritance
  /** Where FIFOs are made, and the pool they come from; null where there is no spool. */
  readonly pipes: { readonly directory: string; readonly pool: string; readonly label: string } | null
}

export interface JobChild {
  readonly pid: number
  readonly exit: Promise<AttemptExit>
  readonly stdout: Readable | number
  readonly stderr: Readable | number
  /** Call once both streams were read to their end and closed. */
  readonly recyclePipes: () => void
}

export type StartResult =
  { readonly kind: 'started'; readonly child: JobChild } | { readonly kind: 'failed'; readonly exit: AttemptExit }

/**
 * The only place that starts the job. It gets our stdin and stays in our session and process group,
 * so that terminals and supervisors reach it as they would without us.
 */
export async function startChild(request: ChildRequest): Promise<StartResult> {
  const unusable = explainCwd(request.cwd) ?? explainPrefixed(request)
  if (unusable !== null) return { kind: 'failed', exit: unusable }
  const fifos = openPipes(request.pipes)
  let child: ChildProcess
  try {
    const [program = '', ...args] = [...request.inheritance.prefix, ...request.command]
    child = spawn(program, args, {
      stdio: stdio(fifos, request.inheritance.descriptors),
      env: request.env,
      ...(request.cwd === null ? {} : { cwd: request.cwd }),
    })
  } catch (error) {
    closeAll(fifos.map(({ readFd }) => readFd))
    return { kind: 'failed', exit: explainSpawnError(request, error) }
  } finally {
    closeAll(fifos.map(({ writeFd }) => writeFd))
  }
  const exit = new Promise<AttemptExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ kind: 'exited', code, signal }))
    child.once('error', (error) => resolve(explainSpawnError(request, error)))
  })
  if (child.pid === undefined) {
    closeAll(fifos.map(({ readFd }) => readFd))
    return { kind: 'failed', exit: await exit }
  }
  // Without FIFOs the streams are Node's own pipes, which then exist.
  const stdout = fifos[0]?.readFd ?? (child.stdout as Readable)
  const stderr = fifos[1]?.readFd ?? (child.stderr as Readable)
  return {
    kind: 'started',
    child: { pid: child.pid, exit, stdout, stderr, recyclePipes: () => recycle(fifos, request.pipes) },
  }
}

/**
 * Real pipes: Node's own are sockets, and a job that writes to /dev/stderr by name would fail on one.
 * Without mkfifo(1) sockets must do.
 */
function openPipes(pipes: ChildRequest['pipes']): Fifo[] {
  const label = pipes?.label ?? `cronwrap-${process.pid}-${Date.now()}`
  const paths = ['stdout', 'stderr'].map((name) => join(pipes?.directory ?? tmpdir(), `${label}.${name}.pipe`))
  const opened: Fifo[] = []
  try {
    if (!makeFifos(paths, pipes?.pool ?? null)) return []
    for (const path of paths) opened.push(openFifo(path))
    if (pipes === null) for (const path of paths) fs.rmSync(path)
    return opened
  } catch {
    closeAll(opened.flatMap(({ readFd, writeFd }) => [readFd, writeFd]))
    return [] // Neither the spool nor the temporary directory can be used.
  }
}

function recycle(fifos: readonly Fifo[], pipes: ChildRequest['pipes']): void {
  if (pipes === null || fifos.length === 0) return
  try {
    returnFifos(
      fifos.map(({ path }) => path),
      pipes.pool,
      pipes.label,
    )
  } catch {
    // They go with the spool; the next run makes its own.
  }
}

/** Descriptors keep their numbers; 'ignore' above 2 leaves a gap as it is. */
function stdio(fifos: readonly Fifo[], descriptors: readonly number[]): StdioOptions {
  const highest = Math.max(2, ...descriptors)
  const entries: Array<'inherit' | 'ignore' | 'pipe' | number> = Array.from({ length: highest + 1 }, () => 'ignore')
  entries[0] = 'inherit'
  entries[1] = fifos[0]?.writeFd ?? 'pipe'
  entries[2] = fifos[1]?.writeFd ?? 'pipe'
  for (const fd of descriptors) entries[fd] = fd
  return entries
}

function explainCwd(cwd: string | null): AttemptExit | null {
  if (cwd === null) return null
  try {
    if (fs.statSync(cwd).isDirectory()) return null
    return { kind: 'not-started', reason: 'not-executable', detail: `the working directory ${cwd} is not a directory` }
  } catch (error) {
    return {
      kind: 'not-started',
      reason: 'not-executable',
      detail: `the working directory cannot be used: ${messageOf(error)}`,
    }
  }
}

/** With a prefix the prefix is what gets spawned, so the job's own program is looked up here. */
function explainPrefixed(request: ChildRequest): AttemptExit | null {
  if (request.inheritance.prefix.length === 0) return null
  const reason = explainUnusable(request.command[0] ?? '', request.env)
  return reason === null ? null : notStarted(request, reason)
}

function explainSpawnError(request: ChildRequest, error: unknown): AttemptExit {
  const errno = errnoOf(error)
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return notStarted(request, 'not-found')
  if (errno === 'EACCES') return notStarted(request, 'not-executable')
  return {
    kind: 'not-started',
    reason: 'not-executable',
    detail: `${request.command[0] ?? ''} could not be started: ${messageOf(error)}`,
  }
}

function notStarted(request: ChildRequest, reason: 'not-found' | 'not-executable'): AttemptExit {
  const command = request.command[0] ?? ''
  if (reason === 'not-executable') return { kind: 'not-started', reason, detail: `${command} is not executable` }
  const where = command.includes('/')
    ? 'or its interpreter does not exist'
    : `was not found in PATH=${short(request.env['PATH'] ?? '')}`
  return { kind: 'not-started', reason, detail: `${command} ${where}` }
}

function short(text: string): string {
  return text.length <= MAX_PATH_SHOWN ? text : `${text.slice(0, MAX_PATH_SHOWN)}…`
}

/** A descriptor is closed even where close(2) reports an error, and nothing of ours was written to these. */
function closeAll(fds: readonly number[]): void {
  for (const fd of fds) {
    try {
      fs.closeSync(fd)
    } catch {
      continue
    }
  }
}
