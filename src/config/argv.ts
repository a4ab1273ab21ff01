import { nearest } from './nearest.ts'
import { CronwrapError } from '../errors.ts'

export interface FlagSpec {
  /** Whether a value follows; a flag without one may still be given as `--flag=false` or `--no-flag`. */
  readonly takesValue: boolean
  /** One letter, for `-n 30`. */
  readonly short?: string
  /** Each value counts when it is given several times; they come as lines of one text. */
  readonly addsUp?: boolean
}

export interface Words {
  /** Flag name to its text, exactly as typed; a flag without a value is `true`. The last of several counts, unless they add up. */
  readonly flags: ReadonlyMap<string, string>
  readonly positionals: readonly string[]
}

/**
 * Reads words as text and nothing else: `--job 007` stays `007`, a message id of 23 digits keeps
 * them all, and `-5` is a value. (The parser that draws the help would make numbers of them.)
 * @param stopAtPositional leave the first word that is no flag, and all after it, alone
 * @throws CronwrapError `USAGE` for an unknown flag or one without its value
 */
export function readWords(
  words: readonly string[],
  specs: ReadonlyMap<string, FlagSpec>,
  stopAtPositional = false,
): Words {
  const flags = new Map<string, string>()
  const positionals: string[] = []
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? ''
    if (word === '--') return { flags, positionals: [...positionals, ...words.slice(index + 1)] }
    if (!isFlag(word)) {
      if (stopAtPositional) return { flags, positionals: words.slice(index) }
      positionals.push(word)
      continue
    }
    const { name, value, takesValue } = readFlag(word, specs)
    const before = specs.get(name)?.addsUp === true ? flags.get(name) : undefined
    const set = (text: string): void => void flags.set(name, before === undefined ? text : `${before}\n${text}`)
    if (value !== null || !takesValue) set(value ?? 'true')
    else if ((words[index + 1] ?? '--') !== '--') set(words[++index] ?? '')
    else throw new CronwrapError('USAGE', `--${name} needs a value`)
  }
  return { flags, positionals }
}

/** `-` is standard input and `-5` a number. */
function isFlag(word: string): boolean {
  return /^-[^\d.]/.test(word)
}

function readFlag(
  word: string,
  specs: ReadonlyMap<string, FlagSpec>,
): { name: string; value: string | null; takesValue: boolean } {
  const equals = word.indexOf('=')
  const typed = (equals === -1 ? word : word.slice(0, equals)).replace(/^--?/, '')
  const value = equals === -1 ? null : word.slice(equals + 1)
  const name = word.startsWith('--') ? typed : ([...specs].find(([, spec]) => spec.short === typed)?.[0] ?? typed)
  const spec = specs.get(name)
  if (spec !== undefined) return { name, value, takesValue: spec.takesValue }
  const positive = name.startsWith('no-') ? name.slice(3) : ''
  if (specs.get(positive)?.takesValue === false && value === null)
    return { name: positive, value: 'false', takesValue: false }
  const known = nearest(name, [...specs.keys()])
  throw new CronwrapError('USAGE', `unknown option ${equals === -1 ? word : word.slice(0, equals)}`, {
    hint: known === undefined ? 'see --help' : `did you mean --${known}?`,
  })
}
