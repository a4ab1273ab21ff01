/** What went wrong, as a word a program can test. */
export type CronwrapErrorCode =
  | 'USAGE'
  | 'BAD_VALUE'
  | 'BAD_ID'
  | 'UNKNOWN_JOB'
  | 'NO_SUCH_RUN'
  | 'CANNOT_RECORD'
  | 'CANNOT_READ'
  | 'NOT_ALLOWED'
  | 'NO_SUCH_STATE'
  | 'CONFLICT'

/** Misuse of the wrapper itself; the code that env(1) and timeout(1) use for it. */
export const EXIT_USAGE = 125

/** Answers that a script may want to tell from misuse; 77 is EX_NOPERM of sysexits.h. */
const EXIT_CODES: Partial<Record<CronwrapErrorCode, number>> = { NOT_ALLOWED: 77, NO_SUCH_STATE: 1, CONFLICT: 1 }

/**
 * A mistake of whoever called cronwrap, or a place it cannot use. A job that fails is data
 * (see `RunResult`), never an exception; any other error is a bug.
 */
export class CronwrapError extends Error {
  readonly code: CronwrapErrorCode
  /** What to do about it, in one sentence. */
  readonly hint: string | undefined
  /** What the program returns for it. */
  readonly exitCode: number

  constructor(code: CronwrapErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CronwrapError'
    this.code = code
    this.hint = options.hint
    this.exitCode = EXIT_CODES[code] ?? EXIT_USAGE
  }
}

/** The text of any thrown thing, for one-line warnings. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The errno name (`ENOENT`, `ENOSPC`, …) of a failed system call, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
