import { runProgram } from '../platform/run-program.ts'
import type { Message } from './message.ts'
import type { Sent } from './sent.ts'

const MAX_ANSWER_CHARACTERS = 300
/** Blank lines at its end are no answer. */
const KEPT_CHARACTERS = 4_000

/**
 * Runs a program that tells somebody: the message comes as JSON on stdin and as `CRONWRAP_ALERT_*`.
 * Its exit code counts.
 */
export async function sendToCommand(
  command: readonly string[],
  message: Message,
  timeoutMs: number,
  input: string = `${JSON.stringify(message)}\n`,
): Promise<Sent> {
  const env = alertVariables(message)
  const { end, stdout, stderr } = await runProgram({ command, input, env, timeoutMs, maxCharacters: KEPT_CHARACTERS })
  const [program = ''] = command
  const told = (stderr.trim() || stdout.trim()).slice(-MAX_ANSWER_CHARACTERS)
  switch (end.kind) {
    case 'late':
      return { kind: 'failed', error: `${program} did not end within ${timeoutMs / 1000}s`, isStuck: true }
    case 'not-started':
      return { kind: 'failed', error: `${program} cannot be run: ${end.errno ?? 'it did not start'}` }
    case 'exited':
      if (end.code === 0) return { kind: 'sent', answer: `exit 0 ${told}`.trim() }
      return { kind: 'failed', error: `${program}: ${end.signal ?? `exit ${end.code ?? '?'}`} ${told}`.trim() }
  }
}

/** An inner cronwrap is another job, and not the one that just ran. */
function alertVariables(message: Message): Record<string, string | undefined> {
  const variables = Object.entries(message).map(([key, value]) => [
    `CRONWRAP_ALERT_${key.toUpperCase()}`,
    // A variable cannot hold it, and would keep the command from being started.
    String(value ?? '').replaceAll('\0', ' '),
  ])
  return { ...Object.fromEntries(variables), CRONWRAP_JOB_ID: undefined, CRONWRAP_RUN_ID: undefined }
}
