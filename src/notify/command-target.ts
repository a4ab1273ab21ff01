import { errnoOf } from '../errors.ts'
import { schedule } from '../platform/clock.ts'
import type { Message } from './message.ts'
import type { Sent } from './sent.ts'

const MAX_ANSWER_CHARACTERS = 300

/** Runs a program that tells somebody: the message comes as JSON on stdin and as `CRONWRAP_ALERT_*`. */
export async function sendToCommand(
  command: readonly string[],
  message: Message,
  timeoutMs: number,
  input: string = `${JSON.stringify(message)}\n`,
): Promise<Sent> {
  const { execa } = await import('execa')
  const [program = '', ...args] = command
  const child = execa(program, args, { input, env: alertVariables(message), reject: false })
  let timedOut = false
  // Not execa's own timeout: it would go on waiting for what the program left behind with its output.
  const cancel = schedule(() => {
    timedOut = true
    child.kill('SIGKILL')
    child.stdout.destroy()
    child.stderr.destroy()
  }, timeoutMs)
  const result = await child
  cancel()
  const words = (result.stderr || result.stdout).trim().slice(-MAX_ANSWER_CHARACTERS)
  if (timedOut) return { kind: 'failed', error: `${program} did not end within ${timeoutMs / 1000}s` }
  if (!result.failed) return { kind: 'sent', answer: `exit 0 ${words}`.trim() }
  const errno = errnoOf(result.cause)
  if (errno === 'ENOENT' || errno === 'EACCES') return { kind: 'failed', error: `${program} cannot be run: ${errno}` }
  const end = result.signal === undefined ? `exit ${result.exitCode ?? '?'}` : result.signal
  return { kind: 'failed', error: `${program}: ${end} ${words}`.trim() }
}

/** An inner cronwrap is another job, and not the one that just ran. */
function alertVariables(message: Message): Record<string, string | undefined> {
  const variables = Object.entries(message).map(([key, value]) => [
    `CRONWRAP_ALERT_${key.toUpperCase()}`,
    String(value ?? ''),
  ])
  return { ...Object.fromEntries(variables), CRONWRAP_JOB_ID: undefined, CRONWRAP_RUN_ID: undefined }
}
