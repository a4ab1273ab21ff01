import { isUtf8 } from 'node:buffer'
import { runInNewContext } from 'node:vm'
import { KNOWN_SECRETS } from './known-secrets.ts'

/** What must not be on record. */
export interface Redaction {
  /** Regular expressions of the user, `^` and `$` at each line; of one with groups only the groups are secret. */
  readonly patterns: readonly string[]
  /** Whether well-known shapes of secrets are hidden too. */
  readonly known: boolean
}

/** What a job's options say must not be on record. */
export function redactorFor({
  redact,
  noRedact,
}: {
  readonly redact: readonly string[]
  readonly noRedact: boolean
}): Redactor {
  return new Redactor({ patterns: redact, known: !noRedact })
}

/** Which ends of a text were cut off from what stood there: half a secret has no shape. */
export interface Cut {
  readonly before: boolean
  readonly after: boolean
}

/** A pattern that takes longer than this for a piece of text has met one that it never finishes. */
const PATTERN_BUDGET_MS = 2_000
/** At a cut the rest of the line is hidden, or this much of it: no half of a secret is longer. */
const MAX_HALF = 4096
const WHOLE: Cut = { before: false, after: false }

/**
 * Hides secrets under as many asterisks: nothing that is counted or cut afterwards changes. What cannot
 * be searched for secrets is hidden altogether.
 */
export class Redactor {
  readonly #patterns: readonly UserPattern[]
  readonly #known: boolean

  constructor({ patterns, known }: Redaction) {
    this.#patterns = patterns.map((source) => new UserPattern(source))
    this.#known = known
  }

  /** What kept it from searching, one sentence each: then more is hidden than need be. */
  get problems(): string[] {
    return this.#patterns.flatMap(({ problem }) => problem ?? [])
  }

  text(text: string, cut: Cut = WHOLE): string {
    return hide(text, this.#secretsIn(text, 'utf8', cut))
  }

  /** A secret may be a word of its own (`--password x`), so the words are read as one line. */
  words(words: readonly string[]): string[] {
    const secret = this.#secretsIn(words.join(' '), 'utf8', WHOLE)
    let end = -1
    return words.map((word) => {
      const start = end + 1
      end = start + word.length
      return hide(word, secret?.subarray(start, end) ?? null)
    })
  }

  /** Hides secrets in place. */
  bytes(content: Buffer, cut: Cut = WHOLE): void {
    const [start, end] = wholeCharacters(content)
    const whole = content.subarray(start, end)
    const encoding = isUtf8(whole) ? 'utf8' : 'latin1'
    const text = whole.toString(encoding)
    const secret = this.#secretsIn(text, encoding, cut)
    if (secret === null) return
    const isPlain = text.length === whole.byteLength
    let byteOffset = start
    for (const [from, to, isSecret] of stretches(secret)) {
      const stretch = text.slice(from, to)
      const bytes = isPlain ? to - from : Buffer.byteLength(stretch, encoding)
      if (isSecret) content.write(cover(stretch, bytes), byteOffset, 'latin1')
      byteOffset += bytes
    }
  }

  /** A 1 for each character of a secret; null when there is none to be found. */
  #secretsIn(text: string, encoding: 'utf8' | 'latin1', cut: Cut): Uint8Array | null {
    if ((this.#patterns.length === 0 && !this.#known) || text === '') return null
    const secret = new Uint8Array(text.length)
    for (const pattern of this.#patterns) pattern.mark(text, encoding, secret)
    if (this.#known) markKnown(text, secret)
    markCuts(text, cut, secret)
    return secret.includes(1) ? secret : null
  }
}

/** A pattern of the user. It may take for ever; then it is stopped, and what it was to search is secret. */
class UserPattern {
  problem: string | null = null
  /** For text, and for bytes that are no text, which it meets as bytes. */
  readonly #expressions: { readonly utf8: RegExp; readonly latin1: RegExp }

  constructor(source: string) {
    const bytes = Buffer.from(source).toString('latin1')
    try {
      this.#expressions = { utf8: new RegExp(source, flags(source)), latin1: new RegExp(bytes, flags(bytes)) }
    } catch {
      // Another version of Node understood it.
      this.problem = 'a pattern of --redact is no regular expression here: everything is hidden'
      this.#expressions = { utf8: /[^]+/g, latin1: /[^]+/g }
    }
  }

  mark(text: string, encoding: 'utf8' | 'latin1', secret: Uint8Array): void {
    const search = (): void => markMatches(this.#expressions[encoding], text, secret)
    try {
      runInNewContext('search()', { search }, { timeout: PATTERN_BUDGET_MS })
    } catch (error) {
      // The error is of the other context, and so no Error of ours.
      if ((error as { code?: unknown }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      this.problem = 'a pattern of --redact took too long: some output is hidden altogether'
      this.#expressions.utf8.lastIndex = this.#expressions.latin1.lastIndex = 0
      secret.fill(1)
    }
  }
}

/** Where groups are is only looked up where there are any: it costs as much as the search. */
function flags(source: string): string {
  const groups = new RegExp(`${source}|`).exec('')?.length ?? 1
  return groups > 1 ? 'gdm' : 'gm'
}

function markKnown(text: string, secret: Uint8Array): void {
  const lower = text.toLowerCase()
  for (const { hints, pattern } of KNOWN_SECRETS)
    if (hints.some((hint) => lower.includes(hint))) markMatches(pattern, text, secret)
}

function markMatches(pattern: RegExp, text: string, secret: Uint8Array): void {
  for (const match of text.matchAll(pattern)) {
    const groups = match.indices?.slice(1).filter((range) => range !== undefined) ?? []
    if (groups.length === 0) secret.fill(1, match.index, match.index + match[0].length)
    for (const [start, end] of groups) secret.fill(1, start, end)
  }
}

function markCuts(text: string, cut: Cut, secret: Uint8Array): void {
  if (cut.before) {
    // Of a private key that began before the cut all is secret.
    const key = /^[^]{0,65536}?-----END [A-Z ]{0,40}PRIVATE KEY/.exec(text)?.[0] ?? ''
    const ofKey = key.includes('-----BEGIN') ? 0 : key.length
    const line = text.indexOf('\n')
    secret.fill(1, 0, Math.max(ofKey, Math.min(line === -1 ? text.length : line, MAX_HALF)))
  }
  if (cut.after) secret.fill(1, Math.max(text.trimEnd().lastIndexOf('\n') + 1, text.length - MAX_HALF))
}

/** The text in turns: what is secret and what is not. */
function* stretches(secret: Uint8Array): Generator<[start: number, end: number, isSecret: boolean]> {
  for (let start = 0; start < secret.length;) {
    const isSecret = secret[start] === 1
    const change = secret.indexOf(isSecret ? 0 : 1, start)
    const end = change === -1 ? secret.length : change
    yield [start, end, isSecret]
    start = end
  }
}

function hide(text: string, secret: Uint8Array | null): string {
  if (secret === null) return text
  const parts = [...stretches(secret)].map(([start, end, isSecret]) => {
    const stretch = text.slice(start, end)
    return isSecret ? cover(stretch, stretch.length) : stretch
  })
  return parts.join('')
}

const WORD = 'redacted'

/** As long as the secret; lines stay lines. */
function cover(secret: string, length: number): string {
  if (secret.includes('\n')) {
    const lines = secret.split('\n')
    const covered = lines.map((line) => '*'.repeat(line.length)).join('\n')
    return covered.padEnd(length, '*')
  }
  return length < WORD.length + 2 ? '*'.repeat(length) : `[${WORD}${'*'.repeat(length - WORD.length - 2)}]`
}

/** A piece of a text may begin and end inside a character. */
function wholeCharacters(content: Buffer): [start: number, end: number] {
  let start = 0
  while (start < 3 && isContinuation(content[start])) start += 1
  let lead = content.byteLength - 1
  while (lead > content.byteLength - 4 && isContinuation(content[lead])) lead -= 1
  const byte = content[lead] ?? 0
  const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
  return [start, lead + needs > content.byteLength ? lead : content.byteLength]
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80
}
