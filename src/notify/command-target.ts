import { errnoOf } from '../errors.ts'
import { schedule } from '../platform/clock.ts'
import type { Message } from './message.ts'
import type { Sent } from './sent.ts'

const MAX_ANSWER_CHARACTERS = 300
/** Of what it prints the end is kept. */
const KEPT_CHARACTERS = 4_000
/** What it left behind may hold its output for ever. */
const DRAIN_MS = 500

/**
 * Runs a program that tells somebody: the message comes as JSON on stdin and as `CRONWRAP_ALERT_*`.
 * Its exit code counts; what it leaves behind runs on. At the time limit, and with us, all of it is killed.
 */
export async function sendToCommand(
  command: readonly string[],
  message: Message,
  timeoutMs: number,
  input: string = `${JSON.stringify(message)}\n`,
): Promise<Sent> {
  const { execa } = await import('execa')
  const [program = '', ...args] = command
  // A group of its own, so that it can be killed with all it started.
  const child = execa(program, args, {
    input,
    env: alertVariables(message),
    reject: false,
    buffer: false,
    detached: true,
  })
  const killAll = (): void => killGroup(child.pid)
  process.once('exit', killAll)
  const printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      printed[name] = `${printed[name]}${chunk.toString()}`.slice(-KEPT_CHARACTERS)
    })
  }
  let end: { readonly code: number | null; readonly signal: string | null } | null = null
  child.once('exit', (code, signal) => {
    end = { code, signal }
    schedule(() => [child.stdout, child.stderr].forEach((stream) => stream.destroy()), DRAIN_MS)
  })
  let timedOut = false
  const cancel = schedule(() => {
    timedOut = true
    killAll()
  }, timeoutMs)
  const { cause } = await child
  cancel()
  process.off('exit', killAll)
  return judge(program, { end, timedOut, timeoutMs, cause, words: printed.stderr.trim() || printed.stdout.trim() })
}

interface Ended {
  /** Null when it could not be started. */
  readonly end: { readonly code: number | null; readonly signal: string | null } | null
  readonly timedOut: boolean
  readonly timeoutMs: number
  readonly cause: unknown
  readonly words: string
}

function judge(program: string, { end, timedOut, timeoutMs, cause, words }: Ended): Sent {
  const told = words.slice(-MAX_ANSWER_CHARACTERS)
  if (timedOut) return { kind: 'failed', error: `${program} did not end within ${timeoutMs / 1000}s` }
  if (end === null)
    return { kind: 'failed', error: `${program} cannot be run: ${errnoOf(cause) ?? 'it did not start'}` }
  if (end.code === 0) return { kind: 'sent', answer: `exit 0 ${told}`.trim() }
  return { kind: 'failed', error: `${program}: ${end.signal ?? `exit ${end.code ?? '?'}`} ${told}`.trim() }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

/** An inner cronwrap is another job, and not the one that just ran. */
function alertVariables(message: Message): Record<string, string | undefined> {
  const variables = Object.entries(message).map(([key, value]) => [
    `CRONWRAP_ALERT_${key.toUpperCase()}`,
    String(value ?? ''),
  ])
  return { ...Object.fromEntries(variables), CRONWRAP_JOB_ID: undefined, CRONWRAP_RUN_ID: undefined }
}
