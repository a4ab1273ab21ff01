import { formatDuration } from '../platform/duration.ts'
import type { RunReason } from './event.ts'

interface HowItEnded {
  readonly reason: RunReason
  readonly exit_code: number | null
  readonly signal: string | null
}

/** How a run ended, in the words of the log, the alerts and the table. */
export function describeEnd({ reason, exit_code, signal }: HowItEnded): string {
  switch (reason) {
    case 'exit':
      return `exit ${exit_code ?? '?'}`
    case 'signal':
      return `signal ${signal ?? '?'}`
    case 'timeout':
      return signal === null ? 'timeout' : `timeout (${signal})`
    case 'interrupted':
      return `interrupted (${signal ?? '?'})`
    case 'not-found':
      return 'command not found'
    case 'not-executable':
      return 'not executable'
    case 'lost':
      return 'lost'
  }
}

export function describeDuration(durationMs: number | null): string {
  if (durationMs === null) return 'unknown'
  return durationMs < 1000 ? `${durationMs} ms` : `${durationMs} ms (${formatDuration(durationMs)})`
}

/** The command as one line that a shell would read back as the same words; a single word may be a whole command line. */
export function quoteCommand(command: readonly string[]): string {
  if (command.length === 1) return printable(command[0] ?? '')
  return command.map(quoteWord).join(' ')
}

function quoteWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  if (!/[\p{Cc}]/u.test(word)) return `'${word.replaceAll("'", `'\\''`)}'`
  const escaped = word.replace(/[\\'\p{Cc}]/gu, (char) => {
    if (char === '\n') return '\\n'
    if (char === '\t') return '\\t'
    return char === '\\' || char === "'" ? `\\${char}` : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return `$'${escaped}'`
}

/** Text from outside without what a terminal would act on, or what would turn its reading direction round. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[@-Z\\-_]/g, '')
    .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, ' ')
}

/** Names, as many as fit in a line. */
export function firstFew(names: readonly string[]): string {
  return names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '')
}
