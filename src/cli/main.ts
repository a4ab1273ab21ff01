import { nearest } from '../config/nearest.ts'
import { CronwrapError } from '../errors.ts'
import { explainUnusable } from '../platform/find-program.ts'
import { COMMAND_NAMES, GLOBAL_FLAGS } from './command-names.ts'
import { reportError } from './report-error.ts'
import { runCommand } from './run.ts'

/**
 * The first word decides: a subcommand of ours, or else a job to run. A run needs nothing beyond
 * this file's imports; everything else is imported when it is asked for.
 */
async function main(words: readonly string[]): Promise<void> {
  const [first, ...rest] = words
  if (first === undefined)
    throw new CronwrapError('USAGE', 'there is no command to run', { hint: 'see cronwrap --help' })
  if (GLOBAL_FLAGS.includes(first) || COMMAND_NAMES.includes(first)) {
    if (first === 'run' && !GLOBAL_FLAGS.includes(rest[0] ?? '')) return endWith(await runCommand(rest))
    const { runSubcommand } = await import('./commands.ts')
    // Not process.exit: what was printed may still be on its way through a pipe.
    process.exitCode = await runSubcommand(first, rest)
    return
  }
  refuseMistyped(first)
  return endWith(await runCommand(words))
}

/** All output is out, and a daemon's pipe or a slow reader must not keep us. */
function endWith(code: number): never {
  process.exit(code)
}

/** `cronwrap statsu` is no job: nothing of that name could be run, and a command of ours is near. */
function refuseMistyped(word: string): void {
  const meant = word.startsWith('-') ? undefined : nearest(word, COMMAND_NAMES)
  if (meant === undefined || explainUnusable(word, process.env) === null) return
  throw new CronwrapError('USAGE', `unknown command "${word}"`, {
    hint: `did you mean ${meant}? A program of that name: cronwrap -- ${word}`,
  })
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.exitCode = reportError(error, { json: false })
})
