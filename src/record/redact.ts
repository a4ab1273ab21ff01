import { isUtf8 } from 'node:buffer'
import { runInNewContext } from 'node:vm'
import { KNOWN_SECRETS } from './known-secrets.ts'

/** What must not be on record. */
export interface Redaction {
  /** Regular expressions of the user; of one with groups only the groups are secret. */
  readonly patterns: readonly string[]
  /** Whether well-known shapes of secrets are hidden too. */
  readonly known: boolean
}

/** Which ends of a text were cut off from what stood there: half a secret has no shape. */
export interface Cut {
  readonly before: boolean
  readonly after: boolean
}

/** A user's pattern that takes longer than this for a piece of text has met one that it never finishes. */
const PATTERN_BUDGET_MS = 2_000
/** A word longer than this is no secret that was cut in two. */
const MAX_CUT_WORD = 4096
const WHOLE: Cut = { before: false, after: false }

type Range = readonly [start: number, end: number]

/**
 * Hides secrets under as many asterisks: nothing that is counted or cut afterwards changes. What cannot
 * be searched for secrets is hidden altogether.
 */
export class Redactor {
  readonly #patterns: readonly RegExp[]
  readonly #known: boolean
  #gaveUp = false

  constructor({ patterns, known }: Redaction) {
    this.#patterns = patterns.map((pattern) => new RegExp(pattern, 'gd'))
    this.#known = known
  }

  text(text: string): string {
    return hide(text, this.#secretsIn(text, WHOLE))
  }

  /** A secret may be a word of its own (`--password x`), so the words are read as one line. */
  words(words: readonly string[]): string[] {
    const line = this.text(words.join(' '))
    let end = -1
    return words.map((word) => {
      const start = end + 1
      end = start + word.length
      return line.slice(start, end)
    })
  }

  /** Hides secrets in place. */
  bytes(content: Buffer, cut: Cut = WHOLE): void {
    const [start, end] = wholeCharacters(content)
    const whole = content.subarray(start, end)
    const encoding = isUtf8(whole) ? 'utf8' : 'latin1'
    const text = whole.toString(encoding)
    const bytesIn = (from: number, to: number): number =>
      text.length === whole.byteLength ? to - from : Buffer.byteLength(text.slice(from, to), encoding)
    let [read, at] = [0, start]
    for (const [from, to] of this.#secretsIn(text, cut)) {
      at += bytesIn(read, from)
      const secret = text.slice(from, to)
      at += content.write(cover(secret, bytesIn(from, to)), at, 'latin1')
      read = to
    }
  }

  #secretsIn(text: string, cut: Cut): Range[] {
    if (this.#patterns.length === 0 && !this.#known) return []
    const ranges = [...this.#own(text), ...(this.#known ? knownSecrets(text) : []), ...cutWords(text, cut)]
    return merged(ranges.filter(([start, end]) => end > start))
  }

  /** Regular expressions can take for ever; this one is stopped, and then all of the text is secret. */
  #own(text: string): Range[] {
    if (this.#patterns.length === 0) return []
    try {
      if (this.#gaveUp) return [[0, text.length]]
      const search = (): Range[] => this.#patterns.flatMap((pattern) => matches(pattern, text))
      return runInNewContext('search()', { search }, { timeout: PATTERN_BUDGET_MS }) as Range[]
    } catch {
      this.#gaveUp = true
      return [[0, text.length]]
    }
  }
}

function knownSecrets(text: string): Range[] {
  const lower = text.toLowerCase()
  return KNOWN_SECRETS.filter(({ hints }) => hints.some((hint) => lower.includes(hint))).flatMap(({ pattern }) =>
    matches(pattern, text),
  )
}

function matches(pattern: RegExp, text: string): Range[] {
  return [...text.matchAll(pattern)].flatMap(({ indices: [whole, ...groups] = [] }) => {
    const matched = groups.filter((range) => range !== undefined)
    return matched.length > 0 || whole === undefined ? matched : [whole]
  })
}

function cutWords(text: string, cut: Cut): Range[] {
  const first = cut.before ? (/^\S*/.exec(text)?.[0].length ?? 0) : 0
  const last = cut.after ? text.length - (/\S*$/.exec(text.slice(-MAX_CUT_WORD - 1))?.[0].length ?? 0) : text.length
  return (
    [
      [0, first],
      [last, text.length],
    ] as const
  ).filter(([start, end]) => end - start <= MAX_CUT_WORD)
}

function merged(ranges: readonly Range[]): Range[] {
  const result: Range[] = []
  for (const [start, end] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = result.at(-1)
    if (last !== undefined && start <= last[1]) result[result.length - 1] = [last[0], Math.max(last[1], end)]
    else result.push([start, end])
  }
  return result
}

function hide(text: string, secrets: readonly Range[]): string {
  let result = ''
  let read = 0
  for (const [start, end] of secrets) {
    result += text.slice(read, start) + cover(text.slice(start, end), end - start)
    read = end
  }
  return result + text.slice(read)
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
function wholeCharacters(content: Buffer): Range {
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
