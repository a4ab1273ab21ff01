import { nearest } from '../config/nearest.ts'
import { CronwrapError } from '../errors.ts'
import { explainUnusable } from '../platform/find-program.ts'
import { readAsked } from '../config/asked.ts'
import { COMMAND_NAMES } from '../config/command-names.ts'
import { reportError } from './report-error.ts'
import { runCommand } from './run.ts'

/** A run needs nothing beyond this file's imports; everything else is imported when it is asked for. */
async function main(words: readonly string[]): Promise<void> {
  if (words.length === 0)
    throw new CronwrapError('USAGE', 'there is no command to run', { hint: 'see cronwrap --help' })
  const asked = readAsked(words)
  if (asked.kind === 'own') return asked.name === '--version' ? printVersion() : runOwn(asked.name, asked.words)
  const [program] = asked.command
  if (asked.isBare && program !== undefined) refuseMistyped(program)
  return endWith(await runCommand(asked))
}

async function runOwn(name: string, words: readonly string[]): Promise<void> {
  const { runSubcommand } = await import('./commands.ts')
  // Not process.exit: what was printed may still be on its way through a pipe.
  process.exitCode = await runSubcommand(name, words)
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
  const hint = meant === undefined ? 'see cronwrap --help.' : `did you mean ${meant}?`
  throw new CronwrapError('USAGE', `"${word}" is neither a command of cronwrap nor a program on the PATH`, {
    hint: `${hint} To run it all the same: cronwrap -- ${word}`,
  })
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.exitCode = reportError(error, { json: false })
})
