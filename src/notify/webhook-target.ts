import { errnoOf } from '../errors.ts'
import { httpPost, type PostAnswer } from '../platform/http-post.ts'
import type { Message } from './message.ts'
import type { Sent } from './sent.ts'
import { refusalIn, webhookRequest, type WebhookTarget } from './webhook-template.ts'

/** Services that repeat the whole message still say first whether they took it. */
const MAX_ANSWER_BYTES = 64 * 1024
const MAX_TOLD_CHARACTERS = 300
/** Refusals that may pass: too slow, too early, too often. */
const PASSING = [408, 425, 429]

/** Posts a message. The address is told to nobody: with most services it is a secret. */
export async function sendToWebhook(target: WebhookTarget, message: Message, timeoutMs: number): Promise<Sent> {
  const { url, headers, body } = webhookRequest(target, message, new Date())
  let answer: PostAnswer
  try {
    const signal = AbortSignal.timeout(timeoutMs)
    answer = await httpPost({ url: new URL(url), headers, body, signal, maxBytes: MAX_ANSWER_BYTES })
  } catch (error) {
    const timedOut = error instanceof Error && error.name === 'AbortError'
    const problem = timedOut ? `no answer within ${timeoutMs / 1000}s` : noConnection(error)
    return { kind: 'failed', error: problem, isStuck: true }
  }
  const { status } = answer
  const text = answer.beginning.toString('utf8')
  const told = `HTTP ${status} ${text.slice(0, MAX_TOLD_CHARACTERS)}`.trim()
  if (status >= 200 && status < 300) {
    const refusal = refusalIn(target.template, text)
    return refusal === null ? { kind: 'sent', answer: told } : { kind: 'failed', error: refusal }
  }
  // A redirect mostly leads to a page that says what is being mended.
  if (status >= 500 || status < 400 || PASSING.includes(status)) {
    const retryAfterS = Number(answer.headers['retry-after'] ?? NaN)
    return { kind: 'failed', error: told, ...(retryAfterS > 0 ? { retryAfterMs: retryAfterS * 1000 } : {}) }
  }
  return { kind: 'rejected', error: told }
}

/** Only the kind of error: its text may hold the address. */
function noConnection(error: unknown): string {
  return `no connection: ${errnoOf(error) ?? 'it broke'}`
}
