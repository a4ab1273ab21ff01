import { nearest } from '../config/nearest.ts'
import { CronwrapError } from '../errors.ts'
import { explainUnusable } from '../platform/find-program.ts'
import { readWords } from './argv.ts'
import { COMMAND_NAMES } from '../config/command-names.ts'
import { reportError } from './report-error.ts'
import { RUN_FLAGS, runCommand } from './run.ts'

/**
 * The first word that is no option decides: a subcommand of ours, or else a job to run. A run needs
 * nothing beyond this file's imports; everything else is imported when it is asked for.
 */
async function main(words: readonly string[]): Promise<void> {
  const [first] = words
  if (first === undefined)
    throw new CronwrapError('USAGE', 'there is no command to run', { hint: 'see cronwrap --help' })
  if (first === '--version' || first === '-v' || first === '-V') return printVersion()
  const { leading, word, rest } = splitAtWord(words)
  const isRun = word === null || word === 'run' || !COMMAND_NAMES.includes(word)
  const runWords = word === 'run' ? [...leading, ...rest] : words
  const asksForHelp = isRun && readWords(runWords, RUN_FLAGS, true).flags.get('help') === 'true'
  if (!isRun || asksForHelp) {
    const { runSubcommand } = await import('./commands.ts')
    // Not process.exit: what was printed may still be on its way through a pipe.
    process.exitCode = await runSubcommand(isRun ? '--help' : word, isRun ? [] : [...leading, ...rest])
    return
  }
  if (word !== null && word !== 'run') refuseMistyped(word)
  return endWith(await runCommand(runWords))
}

/** The options before the first other word, that word, and what follows; no word where `--` comes first. */
function splitAtWord(words: readonly string[]): {
  leading: readonly string[]
  word: string | null
  rest: readonly string[]
} {
  const { positionals } = readWords(words, new Map([...RUN_FLAGS, ['json', { takesValue: false }]]), true)
  const at = words.length - positionals.length
  if (positionals.length === 0 || words[at - 1] === '--')
    return { leading: words.slice(0, at), word: null, rest: positionals }
  return { leading: words.slice(0, at), word: positionals[0] ?? null, rest: positionals.slice(1) }
}

function printVersion(): void {
  process.stdout.write(`cronwrap ${CRONWRAP_VERSION}\n`)
}

/** All output is out, and a daemon's pipe or a slow reader must not keep us. */
function endWith(code: number): never {
  process.exit(code)
}

/** `cronwrap list` is no job: there is no program of that name either. A path, or a word after `--`, is always run. */
function refuseMistyped(word: string): void {
  if (word.includes('/') || explainUnusable(word, process.env) === null) return
  const meant = nearest(word, COMMAND_NAMES)
  const hint = meant === undefined ? 'see cronwrap --help' : `did you mean ${meant}?`
  throw new CronwrapError('USAGE', `"${word}" is neither a command of cronwrap nor a program on the PATH`, {
    hint: `${hint} To run it all the same: cronwrap -- ${word}`,
  })
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.exitCode = reportError(error, { json: false })
})
