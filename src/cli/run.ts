import type { AskedRun } from '../config/asked.ts'
import { resolveHome, type Home } from '../config/base-directory.ts'
import { resolveRunOptions } from '../config/resolve-run-options.ts'
import { CronwrapError } from '../errors.ts'
import { say } from '../job/pass-through.ts'
import { isTimeZone } from '../platform/time-zone.ts'
import { runJob } from '../job/run-job.ts'
import type { RunFinished } from '../record/event.ts'
import { logPath } from '../record/execution-log.ts'
import { describeDuration, describeEnd } from '../record/outcome-text.ts'

/** After a run no attempt to notify begins later than this. */
const NOTIFY_BUDGET_MS = 10_000

/**
 * `cronwrap [run] [options] -- command args…`. Silent on success, since whoever reads our output
 * forwards it to a person; a line on stderr when something is wrong.
 * @returns the exit code
 */
export async function runCommand({ flags, command }: AskedRun): Promise<number> {
  if (command.length === 0) {
    throw new CronwrapError('USAGE', 'there is no command to run', {
      hint: 'write it after --: cronwrap -- python3 task.py',
    })
  }
  const home = resolveHome(flags.get('home'), process.env)
  const { job, options, warnings, hasFollowUp } = resolveRunOptions(flags, command, process.env, home)
  const warned = warnings.map(warn)
  const result = await runJob({ ...options, command, job, home: home.base, transparent: true })
  if (result.notStarted !== null) warned.push(warn(result.notStarted))
  const [problem, ...more] = result.problems
  // What keeps us from recording mostly shows at each step: the first says it.
  if (problem !== undefined) warned.push(warn(more.length === 0 ? problem : `${problem} (and ${more.length} more)`))
  await Promise.all(warned)
  if (options.onFailureLine && result.run?.status === 'error') {
    await say(process.stdout, `${result.endsLine ? '' : '\n'}${failureLine(result.run)}; log: ${logPath(home, job)}\n`)
  }
  if (options.schedule !== null && options.tz !== null && !isTimeZone(options.tz))
    await warn(`there is no time zone "${options.tz}": nobody notices when the job is missed`)
  if (hasFollowUp && result.run !== null) await followUpUnlessToldToEnd(home)
  return result.exitCode
}

/** Its own problems are told by `check`: whoever reads our output forwards it. A signal now must not cost the exit code. */
async function followUpUnlessToldToEnd(home: Home): Promise<void> {
  const told = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) process.once(signal, () => resolve())
    // They were for the job, which has ended.
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => undefined)
  })
  const { followUp } = await import('./follow-up.ts')
  await Promise.race([followUp(home, NOTIFY_BUDGET_MS), told])
}

function failureLine(run: RunFinished): string {
  const end = describeEnd(run)
  const why = run.last_error === null || run.last_error.startsWith(end) ? '' : `: ${run.last_error}`
  return `${run.job} failed: ${end} after ${describeDuration(run.duration_ms)}${why}`
}

/** Not awaited before the job has ended: a reader of ours that does not read must not delay it. */
function warn(text: string): Promise<void> {
  return say(process.stderr, `cronwrap: ${text.replaceAll('\n', ' ')}\n`)
}
