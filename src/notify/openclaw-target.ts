import { askOpenclaw } from '../openclaw/openclaw-cli.ts'
import type { Message } from './message.ts'
import type { Sent } from './sent.ts'

const MAX_ERROR_CHARACTERS = 300

/** Sends to a chat through OpenClaw: a program of a second or more, and a gateway that must be up. */
export async function sendToOpenclaw(
  { channel, to, account }: { readonly channel: string; readonly to: string; readonly account: string | null },
  { title, text }: Message,
  timeoutMs: number,
): Promise<Sent> {
  const words = ['message', 'send', '--channel', channel, '--target', to, '--message', `${title}\n${text}`, '--json']
  const answer = await askOpenclaw(account === null ? words : [...words, '--account', account], timeoutMs)
  if (answer.kind === 'absent') return { kind: 'failed', error: 'there is no openclaw on the PATH' }
  if (answer.kind === 'failed')
    return { kind: 'failed', error: answer.message.slice(0, MAX_ERROR_CHARACTERS), isStuck: answer.timedOut === true }
  return { kind: 'sent', answer: JSON.stringify(answer.value) }
}
