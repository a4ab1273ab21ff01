import { messageOf } from '../errors.ts'
import type { Message } from './message.ts'
import type { Target } from './target.ts'
import type { Sent } from './sent.ts'

/** Sends one message to one target. Never throws, and takes no longer than the timeout. */
export async function send(target: Target, message: Message, timeoutMs: number): Promise<Sent> {
  try {
    switch (target.type) {
      case 'command': {
        const { sendToCommand } = await import('./command-target.ts')
        return await sendToCommand(target.command, message, timeoutMs)
      }
      case 'webhook': {
        const { sendToWebhook } = await import('./webhook-target.ts')
        return await sendToWebhook(target, message, timeoutMs)
      }
      case 'openclaw': {
        const { sendToOpenclaw } = await import('./openclaw-target.ts')
        return await sendToOpenclaw(target, message, timeoutMs)
      }
      case 'mail': {
        const { sendMail } = await import('./mail-target.ts')
        return await sendMail(target, message, timeoutMs)
      }
    }
  } catch (error) {
    return { kind: 'failed', error: messageOf(error) }
  }
}
