import type { Writable } from 'node:stream'
import { resolveHome, type Home } from '../config/base-directory.ts'
import { deriveJobId, parseId } from '../config/job-id.ts'
import { DEFAULT_RUN_OPTIONS } from '../config/option-specs.ts'
import type { RunOptions } from '../config/run-options.ts'
import { CronwrapError } from '../errors.ts'

/** What to run; every option of the run has the default that `cronwrap --help` names. */
export interface RunRequest extends Partial<Omit<RunOptions, 'onFailureLine'>> {
  /** Program and arguments, passed on literally: no shell is involved. */
  readonly command: readonly string[]
  /** The job's id; derived from the command when missing. */
  readonly job?: string
  /** The base directory; found as the command line does it when missing. */
  readonly home?: string
  /** The job's environment; ours when missing. */
  readonly env?: NodeJS.ProcessEnv
  /**
   * This process is there for the job only, as `cronwrap` is: the job gets its signals and the descriptors it inherited.
   * False when missing.
   */
  readonly transparent?: boolean
  /** Where the job's output passes through to; our own streams when missing. */
  readonly stdout?: Writable
  readonly stderr?: Writable
}

/** One run, fully decided: nothing is looked up from here on. */
export interface JobSpec {
  readonly home: Home
  readonly job: string
  readonly command: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly options: RunOptions
  readonly transparent: boolean
  readonly openStdout: () => Writable
  readonly openStderr: () => Writable
}

/** @throws CronwrapError for a command that is empty or an id that cannot name a job */
export function createJobSpec(request: RunRequest): JobSpec {
  if (!Array.isArray(request.command) || request.command.length === 0)
    throw new CronwrapError('USAGE', 'there is no command to run')
  const env = request.env ?? process.env
  const options = Object.fromEntries(
    Object.entries(DEFAULT_RUN_OPTIONS).map(([key, fallback]) => [
      key,
      (request as Partial<RunOptions>)[key as keyof RunOptions] ?? fallback,
    ]),
  )
  return {
    home: resolveHome(request.home, env),
    job: request.job === undefined ? deriveJobId(request.command) : parseId(request.job),
    command: request.command,
    env,
    options: options as unknown as RunOptions,
    transparent: request.transparent ?? false,
    openStdout: () => request.stdout ?? process.stdout,
    openStderr: () => request.stderr ?? process.stderr,
  }
}
