import { deriveJobId, isId } from '../config/job-id.ts'
import { DEFAULT_RUN_OPTIONS } from '../config/option-specs.ts'
import { quoteCommand } from '../record/outcome-text.ts'
import { cronwrapWords } from './add-job.ts'
import { effectiveTimeoutSeconds, type OpenclawJob } from './openclaw-job.ts'
import { needsShell, shellLine, splitWords } from '../invocation/shell-words.ts'
import { waitsMs, type WrappedCommand } from '../invocation/wrapped-command.ts'
import { findWrapped } from './job-command.ts'

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
  const isPlain = wrapped === null || (isShellOnly(wrapped.through) && !needsShell(shellLine(job.argv) ?? ''))
  if (job.payload === 'command' && isPlain) return edit(job, '--command-argv', JSON.stringify(words))
  const line = quoteCommand(words)
  return job.payload === 'command'
    ? edit(job, '--command-argv', JSON.stringify(['sh', '-c', `<the line, with ${line}>`]))
    : edit(job, '--message', `<the message, with the command as: ${line}>`)
}

/** Without a shell the command is the same; without sudo, or a setting before the shell, it is not. */
function isShellOnly(through: readonly string[]): boolean {
  return through.every((word) => /^-|(?:^|\/)(?:env|(?:ba|da|z)?sh)$/.test(word)) && !through.includes('-u')
}

/** A shell line stays with its shell, which is no login shell any more. */
function plainCommand({ argv, payload }: OpenclawJob): readonly string[] {
  const line = shellLine(argv)
  if (payload !== 'command') return ['<the command>']
  if (line === null) return argv
  return needsShell(line) ? [...argv.slice(0, -2), (argv.at(-2) ?? '').replace('l', ''), line] : splitWords(line)
}

function flagsOf(job: OpenclawJob, name: string, wrapped: WrappedCommand | null): string[] {
  const limit = effectiveTimeoutSeconds(job)
  const flags = wrapped?.flags ?? ['--job', name, '--on-failure-line']
  if (limit === null || (wrapped?.longestMs ?? Infinity) < limit * 1000) return [...flags]
  const { retries, retryDelayMs, drainMs } = wrapped?.options ?? DEFAULT_RUN_OPTIONS
  const killAfter = limit < 30 ? 1 : 5
  const forAttempts = (limit * 0.95 * 1000 - waitsMs(retries, retryDelayMs)) / (retries + 1)
  const own = Math.max(1, Math.floor((forAttempts - drainMs) / 1000) - killAfter)
  return withFlag(withFlag(flags, '--timeout', `${own}s`), '--kill-after', `${killAfter}s`)
}

/** The same options with this one set. */
function withFlag(flags: readonly string[], name: string, value: string): string[] {
  const at = flags.indexOf(name)
  const others = flags.filter(
    (flag, index) => !flag.startsWith(`${name}=`) && !(at !== -1 && (index === at || index === at + 1)),
  )
  return [...others, name, value]
}
