import { deriveJobId, isId } from '../config/job-id.ts'
import { quoteCommand } from '../record/outcome-text.ts'
import { cronwrapWords } from './add-job.ts'
import { effectiveTimeoutSeconds, type OpenclawJob } from './openclaw-job.ts'
import { findWrapped, needsShell, shellLine, splitWords, withFlag, type WrappedCommand } from './wrapped-command.ts'

/** `openclaw cron edit` for the job. What only the user knows stands in angle brackets, and keeps it from being run as it is. */
export function edit(job: OpenclawJob, ...words: string[]): string {
  return quoteCommand(['openclaw', 'cron', 'edit', job.id, ...words])
}

/**
 * The one command line that mends how the job runs its command: under cronwrap, with the options it has, cronwrap's timeout
 * below OpenClaw's, and no login shell. The same for each finding, so that the fixes of one job do not undo each other.
 */
export function editCommand(job: OpenclawJob, script?: string): string {
  const wrapped = findWrapped(job)
  const name = wrapped?.job ?? (isId(job.name) ? job.name : deriveJobId([job.name]))
  const wrapper = wrapped?.wrapper ?? cronwrapWords(process.env)
  const command = script === undefined ? (wrapped?.command ?? plainCommand(job)) : [script]
  const words = [...wrapper, ...flagsOf(job, name, wrapped), '--', ...command]
  if (job.payload === 'command' && !(wrapped !== null && needsShell(shellLine(job.argv) ?? '')))
    return edit(job, '--command-argv', JSON.stringify(words))
  const line = quoteCommand(words)
  return job.payload === 'command'
    ? edit(job, '--command-argv', JSON.stringify(['sh', '-c', `<the line, with ${line}>`]))
    : edit(job, '--message', `<the message, with the command as: ${line}>`)
}

function plainCommand({ argv, payload }: OpenclawJob): readonly string[] {
  const line = shellLine(argv)
  if (payload !== 'command') return ['<the command>']
  if (line === null) return argv
  return needsShell(line) ? ['sh', '-c', line] : splitWords(line)
}

function flagsOf(job: OpenclawJob, name: string, wrapped: WrappedCommand | null): string[] {
  const limit = effectiveTimeoutSeconds(job)
  const flags = wrapped?.flags ?? ['--job', name, '--on-failure-line']
  if (limit === null || (wrapped?.longestMs ?? Infinity) < limit * 1000) return [...flags]
  const attempts = 1 + (Number(flags[flags.indexOf('--retries') + 1]) || 0)
  const killAfter = limit < 30 ? 1 : 5
  const own = Math.max(1, Math.floor((limit * 0.95) / attempts) - killAfter - 1)
  return withFlag(withFlag(flags, '--timeout', `${own}s`), '--kill-after', `${killAfter}s`)
}
