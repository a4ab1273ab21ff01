import { CronwrapError, errnoOf, EXIT_USAGE, messageOf } from '../errors.ts'

/**
 * The only place that turns errors into words: one line and a hint for a mistake, everything we know
 * for a bug. With `json`, one JSON object on stderr.
 * @returns the exit code
 */
export function reportError(error: unknown, options: { json: boolean }): number {
  if (error instanceof CronwrapError) {
    const { code, message, hint } = error
    const text = `cronwrap: ${message}\n${hint === undefined ? '' : `  hint: ${hint}\n`}`
    process.stderr.write(options.json ? `${JSON.stringify({ error: { code, message, hint: hint ?? null } })}\n` : text)
    return error.exitCode
  }
  // A place we may not read or write is no bug of ours.
  if (errnoOf(error) !== undefined && errnoOf(error)?.startsWith('E') && !errnoOf(error)?.startsWith('ERR_')) {
    const hint = 'run as the user whose records these are, or name another base directory with --home'
    return reportError(new CronwrapError('CANNOT_READ', messageOf(error), { hint }), options)
  }
  const stack = error instanceof Error ? error.stack : String(error)
  process.stderr.write(
    `cronwrap: internal error; please report it with these lines\n  cronwrap ${CRONWRAP_VERSION}, Node ${process.version}, ${process.platform}\n${stack}\n`,
  )
  return EXIT_USAGE
}
