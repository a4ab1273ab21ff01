import { spawnSync } from 'node:child_process'
import fs from 'fs-extra'
import { BIN, finished, kill, processesOf, type Finished, type Rig } from '../support/rig.ts'

/** The calls with which a process changes what others see, and those that lead to one. */
export const CHANGING_CALLS =
  'write,writev,pwrite64,fsync,fdatasync,rename,link,unlink,mkdir,rmdir,openat,utimensat,clone,clone3,vfork,exit_group'

/** A traced run takes a second or two. */
const PATIENCE_MS = 15_000

/** One system call of a run: its name, and which one of that name it was. */
export interface Call {
  readonly name: string
  readonly number: number
  readonly line: string
}

export function straceUnavailable(): string | null {
  const { status } = spawnSync('strace', ['-o', '/dev/null', 'true'], { stdio: 'ignore' })
  return status === 0 ? null : 'strace is not installed or may not trace'
}

/**
 * Runs the program under strace(1), which traces the main thread only: that is where all of the
 * recording is done, and neither the job nor a worker thread is hit. What hangs is killed: a fault may hit a call of Node's
 * own, such as the close(2) by which it learns that a program could be started.
 * @param options.inject as after `-e inject=`; none to look only
 * @param options.watch the calls that are listed
 */
export async function runTraced(
  rig: Rig,
  words: readonly string[],
  { inject, watch = CHANGING_CALLS }: { readonly inject?: string; readonly watch?: string } = {},
): Promise<Finished & { calls: Call[] }> {
  const trace = rig.path(`trace-${Math.random()}`)
  const flags = [
    '-o',
    trace,
    '-y',
    '-s',
    '0',
    '-e',
    `trace=${watch}`,
    ...(inject === undefined ? [] : ['-e', `inject=${inject}`]),
  ]
  const hanging = setTimeout(() => {
    for (const pid of processesOf(rig.directory)) kill(pid, 'SIGKILL')
  }, PATIENCE_MS)
  const result = await rig.spawn('strace', [...flags, process.execPath, BIN, ...words])
  clearTimeout(hanging)
  return { ...finished(result), calls: readCalls(fs.readFileSync(trace, 'latin1')) }
}

function readCalls(trace: string): Call[] {
  const counts = new Map<string, number>()
  return trace.split('\n').flatMap((line) => {
    const name = /^(\w+)\(/.exec(line)?.[1]
    if (name === undefined) return []
    const number = (counts.get(name) ?? 0) + 1
    counts.set(name, number)
    return [{ name, number, line }]
  })
}

/** Calls on files below the base directory. */
export function onRecords({ line }: Call, rig: Rig): boolean {
  return line.includes(rig.home.base)
}
