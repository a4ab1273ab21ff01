import { errnoOf } from '../errors.ts'
import { httpPost, type PostAnswer } from '../platform/http-post.ts'
import type { Message } from './message.ts'
import type { Sent } from './sent.ts'
import { refusalIn, webhookRequest, type WebhookTarget, type WebhookTemplate } from './webhook-template.ts'

/** Services that repeat the whole message still say first whether they took it. */
const MAX_ANSWER_BYTES = 64 * 1024
const MAX_TOLD_CHARACTERS = 300
/** Refusals that may pass: too slow, too early, too often. */
const PASSING = [408, 425, 429]

/** Posts a message. The address is told to nobody: with most services it is a secret. */
export async function sendToWebhook(target: WebhookTarget, message: Message, timeoutMs: number): Promise<Sent> {
  const { url, headers, body } = webhookRequest(target, message, new Date())
  const signal = AbortSignal.timeout(timeoutMs)
  let answer: PostAnswer
  try {
    answer = await httpPost({ url: new URL(url), headers, body, signal, maxBytes: MAX_ANSWER_BYTES })
  } catch (error) {
    const problem = signal.aborted ? `no answer within ${timeoutMs / 1000}s` : noConnection(error)
    return { kind: 'failed', error: problem, isStuck: true }
  }
  return { ...judge(target.template, answer), isStuck: signal.aborted }
}

function judge(template: WebhookTemplate, { status, beginning, isCut, retryAfterMs }: PostAnswer): Sent {
  const text = beginning.toString('utf8')
  const isRedirect = status >= 300 && status < 400
  const told =
    `HTTP ${status}${isRedirect ? ', redirects are not followed' : ''} ${text.slice(0, MAX_TOLD_CHARACTERS)}`.trim()
  if (status >= 200 && status < 300) {
    const refusal = refusalIn(template, text, { isCut })
    return refusal === null ? { kind: 'sent', answer: told } : { kind: 'failed', error: refusal }
  }
  // A redirect mostly leads to a page that says what is being mended.
  if (status >= 500 || status < 400 || PASSING.includes(status)) return { kind: 'failed', error: told, retryAfterMs }
  return { kind: 'rejected', error: told }
}

/** Only the kind of error: its text may hold the address. */
function noConnection(error: unknown): string {
  return `no connection: ${errnoOf(error) ?? 'it broke'}`
}
