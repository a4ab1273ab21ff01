import { readWords, type FlagSpec, type Words } from './argv.ts'
import { COMMAND_NAMES } from './command-names.ts'
import { RUN_OPTIONS } from './option-specs.ts'

/** Every flag of a run: the options that the environment and the file know too, and where to record as whom. */
export const RUN_FLAGS: ReadonlyMap<string, FlagSpec> = new Map([
  ['job', { takesValue: true }],
  ['home', { takesValue: true }],
  ['help', { takesValue: false, short: 'h' }],
  ...[...RUN_OPTIONS].map(([name, { placeholder, addsUp = false }]): [string, FlagSpec] => [
    name,
    { takesValue: placeholder !== null, addsUp },
  ]),
])

/** What the words after `cronwrap` ask for. */
export type Asked =
  /** A command of ours, `--help` or `--version`, with the other words. */
  { readonly kind: 'own'; readonly name: string; readonly words: readonly string[] } | AskedRun

export interface AskedRun {
  readonly kind: 'run'
  readonly flags: Words['flags']
  /** The flags as they were typed. */
  readonly flagWords: readonly string[]
  readonly command: readonly string[]
  /** Neither `run` nor `--` says that the command is one. */
  readonly isBare: boolean
}

/**
 * The first word that is no option decides: a command of ours, or else a job to run. After `--` it is always a job.
 * @throws CronwrapError `USAGE` for an unknown option or one without its value
 */
export function readAsked(words: readonly string[]): Asked {
  const [first = ''] = words
  if (['--version', '-v', '-V'].includes(first)) return { kind: 'own', name: '--version', words: [] }
  const { positionals } = readWords(words, new Map([...RUN_FLAGS, ['json', { takesValue: false }]]), true)
  const [word = ''] = positionals
  const at = words.length - positionals.length
  const isMarked = words[at - 1] === '--'
  const others = [...words.slice(0, at), ...positionals.slice(1)]
  const saysRun = !isMarked && word === 'run'
  if (!isMarked && !saysRun && COMMAND_NAMES.includes(word)) return { kind: 'own', name: word, words: others }
  const runWords = saysRun ? others : words
  const { flags, positionals: command } = readWords(runWords, RUN_FLAGS, true)
  if (flags.get('help') === 'true') return { kind: 'own', name: '--help', words: [] }
  const before = runWords.slice(0, runWords.length - command.length)
  const flagWords = before.at(-1) === '--' ? before.slice(0, -1) : before
  return { kind: 'run', flags, flagWords, command, isBare: flagWords === before && !saysRun }
}
