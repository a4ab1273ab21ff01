import { basename } from 'node:path'
import { startsAnother } from './wrapped-command.ts'
import { tokensOf, unquoted, type Token } from './shell-words.ts'

/** A command of a line, as far as it can be known without running it. */
export interface ShellStep {
  /** Variables that are known are in their place; others stay as they are written, `$NAME`. */
  readonly words: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** It is not expected to fail, and only sets the stage: `cd`, `export`. */
  readonly prepares: boolean
  /** Whether it runs depends on more than the line being run. */
  readonly isConditional: boolean
  /** How long the line sleeps before it; null where that is known to the shell only. */
  readonly delayMs: number | null
}

/** Commands that are not expected to fail, and after which the line goes on as if they were not there. */
const PREPARES = new Set(
  [
    'cd . source export unset readonly umask ulimit set shopt trap eval exec : true sleep',
    'echo printf logger date mkdir touch nvm conda',
  ]
    .join(' ')
    .split(' '),
)

const OPENS = new Set(['if', 'while', 'until', 'for', 'select', 'case', '{'])
const BRANCHES = new Set(['then', 'else', 'elif', 'do'])
const CLOSES = new Set(['fi', 'done', 'esac', '}'])

/** A group of commands: the line, a subshell, an `if`. */
interface Group {
  readonly opener: string
  /** All that comes in it from here on. */
  isConditional: boolean
  /** What `&&` and `||` join to the present command. */
  isChained: boolean
  /** The present command runs only where a preparation failed. */
  isFallback: boolean
  /** The last command only prepared; with nothing before it, there is nothing that could fail. */
  prepared: boolean
  onlyPrepares: boolean
}

/** The commands of a line in the order in which a shell comes to them; null when it cannot be read. Pure. */
export function stepsOf(line: string, env: NodeJS.ProcessEnv): ShellStep[] | null {
  const tokens = tokensOf(line)
  return tokens === null ? null : new ShellReader(env).read(tokens)
}

/** What the line is there for: its first command that does more than prepare, without what only starts it; null where none is seen. */
export function mainCommandOf(line: string): readonly string[] | null {
  const words = stepsOf(line, {})?.find(({ prepares }) => !prepares)?.words ?? []
  const at = words.findIndex((word) => !startsAnother(word))
  return at === -1 ? null : words.slice(at)
}

class ShellReader {
  readonly #steps: ShellStep[] = []
  readonly #groups: Group[] = []
  readonly #env: NodeJS.ProcessEnv
  readonly #variables: NodeJS.ProcessEnv
  #delayMs: number | null = 0
  /** After `set -e` the first failure ends the line. */
  #isStrict = false

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = { ...env }
    this.#variables = { ...env }
    this.#open('')
  }

  read(tokens: readonly Token[]): ShellStep[] {
    let words: string[] = []
    for (const { kind, text } of [...tokens, { kind: 'operator', text: ';' }]) {
      if (kind === 'word') words.push(text)
      else {
        this.#command(words, text)
        words = []
        this.#operator(text)
      }
    }
    return this.#steps
  }

  get #group(): Group {
    return this.#groups.at(-1) ?? this.#open('')
  }

  #open(opener: string): Group {
    const group = {
      opener,
      isConditional: opener === 'case',
      isChained: false,
      isFallback: false,
      prepared: true,
      onlyPrepares: true,
    }
    this.#groups.push(group)
    return group
  }

  #close(): void {
    const closed = this.#groups.length > 1 ? this.#groups.pop() : undefined
    const isPlain = closed?.opener === '(' || closed?.opener === '{'
    if (closed !== undefined) this.#ended(isPlain && closed.onlyPrepares)
  }

  #ended(prepared: boolean): void {
    this.#group.prepared = prepared
    this.#group.onlyPrepares &&= prepared
  }

  #operator(text: string): void {
    const group = this.#group
    if (text === '(') this.#open('(')
    else if (text === ')') {
      // In a `case` it ends a pattern.
      if (group.opener === '(') this.#close()
    } else if (text === '&&') group.isChained ||= !group.prepared
    else if (text === '||') {
      group.isFallback = group.prepared && !group.isChained
      group.isChained = true
    } else if (!text.startsWith('|')) {
      group.isConditional ||= this.#isStrict && !group.prepared && !group.isChained
      group.isChained = false
      group.isFallback = false
    }
  }

  #command(written: readonly string[], after: string): void {
    const { rest, isNegated } = this.#keywords(written)
    if (rest.length === 0) return
    const words = rest.map((word) => unquoted(word, this.#variables))
    const isConditional = this.#groups.some((group) => group.isConditional || group.isChained)
    const at = words.findIndex((word) => !/^\w+=/.test(word))
    const [program = '', ...others] = at === -1 ? [] : words.slice(at)
    // A variable's value may be the output of a command, which may fail.
    const isSetting = at === -1 && !/[`]|\$\(/.test(rest.join(' '))
    const isExec = program === 'exec' && others.length > 0
    // Of two lines that make a directory without -p, one fails: that is a lock.
    const isLock = program === 'mkdir' && !others.some((word) => /^-\w*p|^--parents$/.test(word))
    const prepares = isSetting || (PREPARES.has(basename(program)) && !isExec && !isLock)
    this.#steps.push({ words, env: { ...this.#env }, prepares, isConditional, delayMs: this.#delayMs })
    if (program === 'exit' || program === 'return') this.#exit()
    if (program === 'set' && others.some((word) => /^-[a-z]*e/.test(word))) this.#isStrict = true
    if (program === 'export' || at === -1) this.#assign(at === -1 ? words : others, program === 'export')
    if (basename(program) === 'sleep' && after !== '&') this.#sleep(others)
    this.#ended(prepares && !isNegated)
  }

  /** What is left of a command without the words that belong to the shell. */
  #keywords(words: readonly string[]): { readonly rest: readonly string[]; readonly isNegated: boolean } {
    const [first = '', ...rest] = words
    if (first === '!') return { ...this.#keywords(rest), isNegated: true }
    if (OPENS.has(first)) this.#open(first)
    else if (CLOSES.has(first)) this.#close()
    else if (BRANCHES.has(first)) this.#group.isConditional = true
    else return { rest: words, isNegated: false }
    // `for` and `case` are followed by words, not by a command.
    return /^(?:for|select|case)$/.test(first) ? { rest: [], isNegated: false } : this.#keywords(rest)
  }

  /** What follows depends on why the line may end here: but that `cd` fails is not to be expected. */
  #exit(): void {
    if (this.#groups.some(({ isFallback }) => isFallback)) return
    const subshell = this.#groups.findLastIndex(({ opener }) => opener === '(')
    for (const group of this.#groups.slice(Math.max(subshell, 0))) group.isConditional = true
  }

  #assign(words: readonly string[], isExported: boolean): void {
    for (const word of words) {
      const [name = '', value = this.#variables[name]] = word.split(/=(.*)/s)
      this.#variables[name] = value
      if (isExported || name in this.#env) this.#env[name] = value
    }
  }

  #sleep(times: readonly string[]): void {
    for (const time of times) {
      const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(time) ?? []
      const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit || 's'] ?? 1_000
      this.#delayMs = number === undefined || this.#delayMs === null ? null : this.#delayMs + Number(number) * unitMs
    }
  }
}
