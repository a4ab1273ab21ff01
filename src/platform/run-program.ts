import type { ChildProcess } from 'node:child_process'
import type { ResultPromise } from 'execa'
import { errnoOf } from '../errors.ts'
import { schedule } from './clock.ts'

/** For the rest of its output, which what it left behind may hold for ever. */
const DRAIN_MS = 500

export interface ProgramRequest {
  /** Program and arguments; no shell is involved. */
  readonly command: readonly string[]
  readonly input: string
  /** Beside our own environment; undefined takes a variable away. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly timeoutMs: number
  /** Of what it prints to each stream the end is kept. */
  readonly maxCharacters: number
}

export type ProgramEnd =
  | { readonly kind: 'exited'; readonly code: number | null; readonly signal: NodeJS.Signals | null }
  /** It was killed at the time limit. */
  | { readonly kind: 'late' }
  /** `errno`: ENOENT, say. */
  | { readonly kind: 'not-started'; readonly errno: string | null }

export interface ProgramRun {
  readonly end: ProgramEnd
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a program that is not the job. What it leaves behind when it ends runs on; at the time limit, and with us, all
 * of it is killed. Never throws.
 */
export async function runProgram(request: ProgramRequest): Promise<ProgramRun> {
  // In an object: a process is a promise, and would be waited for.
  const started = await start(request)
  if (started === null) return { end: { kind: 'not-started', errno: null }, stdout: '', stderr: '' }
  const { child } = started
  const killAll = (): void => killGroup(child.pid)
  process.once('exit', killAll)
  const printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      printed[name] = `${printed[name]}${chunk}`.slice(-request.maxCharacters)
    })
  }
  const end = await new Promise<ProgramEnd>((resolve) => {
    const cancel = schedule(() => resolve({ kind: 'late' }), request.timeoutMs)
    child.once('exit', (code, signal) => {
      cancel()
      resolve({ kind: 'exited', code, signal })
    })
    // Without a process there is no exit.
    void child.then(({ cause }) => {
      cancel()
      resolve({ kind: 'not-started', errno: errnoOf(cause) ?? null })
    })
  })
  if (end.kind === 'late') killAll()
  await new Promise<void>((resolve) => {
    const cancel = schedule(resolve, DRAIN_MS)
    void child.then(() => {
      cancel()
      resolve()
    })
  })
  process.off('exit', killAll)
  letGo(child)
  return { end, ...printed }
}

type Started = ResultPromise<{ reject: false; buffer: false; detached: true }>

/** In a group of its own, so that it can be killed with all it started: who hangs is mostly a child of a script. */
async function start({ command, input, env }: ProgramRequest): Promise<{ child: Started } | null> {
  const { execa } = await import('execa')
  const [program = '', ...args] = command
  try {
    return { child: execa(program, args, { input, env, reject: false, buffer: false, detached: true }) as Started }
  } catch {
    return null // A word that no program can be given: with a NUL in it.
  }
}

/** Nothing of it keeps us: not what holds its output, and not a program of another user's, which we could not kill. */
function letGo(child: ChildProcess): void {
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy()
  child.unref()
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
