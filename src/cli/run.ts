import { resolveHome } from '../config/base-directory.ts'
import { resolveRunOptions } from '../config/resolve-run-options.ts'
import { RUN_OPTIONS } from '../config/run-options.ts'
import { CronwrapError } from '../errors.ts'
import { runJob, type RunResult } from '../job/run-job.ts'
import { logPath } from '../record/execution-log.ts'
import { describeDuration, describeEnd } from '../record/outcome-text.ts'
import { readWords, type FlagSpec } from './argv.ts'

/** Every flag of a run: the options that the environment and the file know too, and where to record as whom. */
export const RUN_FLAGS: ReadonlyMap<string, FlagSpec> = new Map([
  ['job', { takesValue: true }],
  ['home', { takesValue: true }],
  ...[...RUN_OPTIONS].map(([name, { placeholder }]): [string, FlagSpec] => [
    name,
    { takesValue: placeholder !== null },
  ]),
])

/**
 * `cronwrap [run] [options] -- command args…`. Silent on success, since whoever reads our output
 * forwards it to a person; a line on stderr when something is wrong.
 * @returns the exit code
 */
export async function runCommand(words: readonly string[]): Promise<number> {
  const { flags, positionals: command } = readWords(words, RUN_FLAGS, true)
  if (command.length === 0) {
    throw new CronwrapError('USAGE', 'there is no command to run', {
      hint: 'write it after --: cronwrap -- python3 task.py',
    })
  }
  const home = resolveHome(flags.get('home'), process.env)
  const { job, options, warnings } = resolveRunOptions(flags, command, process.env, home)
  for (const warning of warnings) warn(warning)
  const result = await runJob({ ...options, command, job, home: home.base, forwardSignals: true })
  if (result.notStarted !== null) warn(result.notStarted)
  if (result.problems[0] !== undefined) warn(oneLine(result.problems[0], result.problems.length - 1))
  if (options.onFailureLine && result.run?.status === 'error') {
    process.stdout.write(`${failureLine(result)}; log: ${logPath(home, job)}\n`)
  }
  return result.exitCode
}

/** What keeps us from recording mostly shows at each step: the first says it. */
function oneLine(problem: string, more: number): string {
  return more === 0 ? problem : `${problem} (and ${more} more)`
}

function failureLine({ job, run }: RunResult): string {
  if (run === null) return ''
  return `${job} failed: ${describeEnd(run)} after ${describeDuration(run.duration_ms)}`
}

function warn(text: string): void {
  process.stderr.write(`cronwrap: ${text.replaceAll('\n', ' ')}\n`)
}
