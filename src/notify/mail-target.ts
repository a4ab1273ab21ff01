import { hostname } from 'node:os'
import { findProgram } from '../platform/find-program.ts'
import { ownUserName } from '../platform/user-name.ts'
import { sendToCommand } from './command-target.ts'
import type { Message } from './message.ts'
import type { Sent } from './sent.ts'

/** Where mail servers put it; cron's PATH has none of them. */
const SENDMAIL_PATH = '/usr/sbin:/usr/lib:/usr/bin:/usr/local/sbin:/usr/local/bin'

/** Hands a mail to the local sendmail, as cron does. */
export async function sendMail(
  { to, from }: { readonly to: readonly string[]; readonly from: string | null },
  message: Message,
  timeoutMs: number,
): Promise<Sent> {
  const sendmail = findProgram('sendmail', { PATH: `${process.env['PATH'] ?? ''}:${SENDMAIL_PATH}` })
  if (sendmail === null) return { kind: 'failed', error: 'there is no sendmail on this machine' }
  // -i: a line that is a single dot does not end the mail.
  return sendToCommand([sendmail, '-i', '-t'], message, timeoutMs, formatMail(to, from, message, new Date()))
}

/** A mail as text: headers in ASCII, the body in UTF-8. */
export function formatMail(to: readonly string[], from: string | null, message: Message, now: Date): string {
  const { id, title, text, severity } = message
  const headers = [
    `From: ${address(from ?? `cronwrap <${ownUserName() ?? 'cronwrap'}@${hostname()}>`)}`,
    `To: ${to.map(address).join(', ')}`,
    `Subject: ${encodedWords(`[cronwrap ${severity}] ${title}`)}`,
    `Date: ${now.toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${Buffer.from(id).toString('base64url').slice(-120)}@${hostname()}>`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
  ]
  return `${headers.join('\n')}\n\n${title}\n\n${text}\n`
}

/** `Name <address>`, where only the name may hold other letters than ASCII. */
function address(text: string): string {
  const [, name, rest] = /^(.*?)\s*(<[^<>]*>)$/.exec(headerText(text)) ?? []
  return name ? `${encodedWords(name)} ${rest ?? ''}` : headerText(text)
}

/** A line break would begin another header. */
function headerText(text: string): string {
  return text.replaceAll(/[\r\n]+/g, ' ')
}

/** RFC 2047: words of at most 75 characters, none of which splits a character. */
function encodedWords(text: string): string {
  const line = headerText(text)
  if (/^[\x20-\x7e]*$/.test(line)) return line
  const words: string[] = ['']
  for (const character of line) {
    const word = (words.at(-1) ?? '') + character
    if (Buffer.byteLength(word) > 42) words.push(character)
    else words[words.length - 1] = word
  }
  return words.map((word) => `=?UTF-8?B?${Buffer.from(word).toString('base64')}?=`).join('\n ')
}
