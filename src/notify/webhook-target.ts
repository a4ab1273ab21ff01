import { messageOf } from '../errors.ts'
import type { Message } from './message.ts'
import type { Sent } from './sent.ts'
import { refusalIn, webhookRequest, type WebhookTarget } from './webhook-template.ts'

const MAX_ANSWER_CHARACTERS = 300
/** Refusals that may pass: too slow, too early, too often. */
const PASSING = [408, 425, 429]

/** Posts a message. The address is told to nobody: with most services it is a secret. */
export async function sendToWebhook(target: WebhookTarget, message: Message, timeoutMs: number): Promise<Sent> {
  const { url, headers, body } = webhookRequest(target, message, new Date())
  let response: Response
  let answer: string
  try {
    const signal = AbortSignal.timeout(timeoutMs)
    // A redirected POST arrives as a GET, without the message.
    response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
    answer = (await response.text()).slice(0, MAX_ANSWER_CHARACTERS)
  } catch (error) {
    return { kind: 'failed', error: describeFailure(error, timeoutMs) }
  }
  const { status } = response
  const told = `HTTP ${status} ${answer}`.trim()
  if (status >= 200 && status < 300) {
    const refusal = refusalIn(target.template, answer)
    return refusal === null ? { kind: 'sent', answer: told } : { kind: 'failed', error: refusal }
  }
  if (status >= 500 || PASSING.includes(status)) {
    const retryAfterS = Number(response.headers.get('retry-after') ?? NaN)
    return { kind: 'failed', error: told, ...(retryAfterS > 0 ? { retryAfterMs: retryAfterS * 1000 } : {}) }
  }
  return { kind: 'rejected', error: told }
}

/** fetch says `fetch failed`, and why in its cause. */
function describeFailure(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000}s`
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return code === '' ? messageOf(cause ?? error) : `no connection: ${code}`
}
