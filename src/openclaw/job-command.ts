import { stepsOf } from '../invocation/shell-line.ts'
import { NOT_OURS, readShellLine, readStarted, type StartedCommand } from '../invocation/started-command.ts'
import { splitWords } from '../invocation/shell-words.ts'
import { cronEnvironmentOf } from '../invocation/user-environment.ts'
import { surroundings, type WrappedCommand } from '../invocation/wrapped-command.ts'
import type { OpenclawJob } from './openclaw-job.ts'

/** What a job of OpenClaw starts, as far as it concerns cronwrap. */
export function readJobCommand(job: OpenclawJob): StartedCommand {
  const env = { ...surroundings(), ...job.env }
  if (job.payload === 'command') return readStarted(job.argv, env, cronEnvironmentOf)
  const line = commandIn(job.message)
  if (line === null) return NOT_OURS
  // Prose goes on after a command, with an apostrophe perhaps, which no shell would take.
  if (stepsOf(line, env) === null) return readStarted(splitWords(line), env, cronEnvironmentOf)
  return readShellLine(line, env, cronEnvironmentOf)
}

/** What it runs through cronwrap; null when it does not. */
export function findWrapped(job: OpenclawJob): WrappedCommand | null {
  return readJobCommand(job).wrapped
}

/** What an agent is told is prose, where cronwrap is also a word: only with an option or `--` it is a command. */
function commandIn(message: string): string | null {
  const text = message.replaceAll('\\\n', ' ').replaceAll('`', '\n')
  return /(?:^|\s)((?:\S*\/)?cronwrap(?:\.js)?[ \t]+(?:run[ \t]+)?-[^\n]*)/.exec(text)?.[1] ?? null
}
