import * as fs from 'node:fs'
import { dirname, resolve } from 'node:path'
import { CronwrapError } from '../errors.ts'
import { parseDuration, formatDuration } from '../platform/duration.ts'
import { explainUnusable, findProgram } from '../platform/find-program.ts'
import { quoteCommand } from '../record/outcome-text.ts'

export interface AddRequest {
  readonly job: string
  /** A cron expression, `10m` for every ten minutes, or a time. */
  readonly schedule: string
  readonly tz: string | null
  readonly channel: string
  readonly to: string
  readonly accountId: string | null
  /** What OpenClaw allows a run. */
  readonly timeoutMs: number
  readonly command: readonly string[]
  readonly cwd: string
  /** The base directory: the default one of the gateway may be another. */
  readonly home: string
  /** An agent runs the command and sends the result, instead of OpenClaw itself. */
  readonly agent: boolean
  readonly env: NodeJS.ProcessEnv
}

const KILL_AFTER = '5s'
/** OpenClaw's own rule of thumb: a job that waits for a model or a network needs no less. */
export const LEAST_TIMEOUT_SECONDS = 180
/** TERM and, should the job ignore it, KILL come before OpenClaw's timeout, which would lose the output … */
const HEAD_START_MS = 10_000
/** … and an agent must have time to start, to send the result and to record that. */
const AGENT_HEAD_START_MS = 120_000

/**
 * The words of the `openclaw cron add` that runs the command under cronwrap.
 * @throws CronwrapError for a program or a directory that is not there, a schedule or a timeout that cannot be
 */
export function addWords(request: AddRequest): string[] {
  const { job, channel, to, accountId, timeoutMs, agent, cwd } = request
  if (timeoutMs < LEAST_TIMEOUT_SECONDS * 1000)
    throw new CronwrapError('BAD_VALUE', `--timeout ${formatDuration(timeoutMs)} is too short`, {
      hint: `give at least ${LEAST_TIMEOUT_SECONDS}s: jobs wait for models and networks`,
    })
  if (!fs.existsSync(cwd)) throw new CronwrapError('BAD_VALUE', `--cwd ${cwd} does not exist`)
  return [
    'openclaw',
    'cron',
    'add',
    '--name',
    job,
    ...scheduleWords(request),
    ...(agent ? agentWords(request) : commandWords(request)),
    '--timeout-seconds',
    String(Math.round(timeoutMs / 1000)),
    '--announce',
    '--channel',
    channel,
    '--to',
    to,
    ...given('--account', accountId),
  ]
}

function given(flag: string, value: string | null): string[] {
  return value === null ? [] : [flag, value]
}

function scheduleWords({ schedule, tz }: AddRequest): string[] {
  const interval = /^\d/.test(schedule) && !/\s|-/.test(schedule)
  if (interval) {
    if (tz !== null)
      throw new CronwrapError('BAD_VALUE', '--tz has no meaning for an interval', { hint: 'leave it out' })
    return ['--every', `${Math.round(parseDuration(schedule) / 1000)}s`]
  }
  if (/^\d{4}-\d\d-\d\d[T ]/.test(schedule)) return ['--at', schedule.replace(' ', 'T'), ...given('--tz', tz)]
  if (![5, 6].includes(schedule.trim().split(/\s+/).length))
    throw new CronwrapError('BAD_VALUE', `--schedule "${schedule}" is no schedule`, {
      hint: 'a cron expression ("0 7 * * *"), an interval (10m) or a time (2026-12-01T07:00)',
    })
  return ['--cron', schedule, ...given('--tz', tz)]
}

function commandWords(request: AddRequest): string[] {
  const variables = [`CRONWRAP_JOB=${request.job}`, `CRONWRAP_HOME=${request.home}`, `PATH=${searchPath(request.env)}`]
  const argv = [...cronwrapWords(request.env), ...ownTimeout(request), '--on-failure-line', '--', ...absolute(request)]
  return [
    '--command-argv',
    JSON.stringify(argv),
    '--command-cwd',
    request.cwd,
    ...variables.flatMap((variable) => ['--command-env', variable]),
  ]
}

/** The exit code of what an agent runs is lost on the way: the agent itself must look at it, and record the delivery. */
function agentWords(request: AddRequest): string[] {
  const { job, channel, to, accountId, home, cwd } = request
  const cronwrap = cronwrapWords(request.env)
  const flags = ['--home', home, '--job', job, '--cwd', cwd, ...ownTimeout(request)]
  const run = quoteCommand([...cronwrap, ...flags, '--', ...absolute(request)])
  const account = accountId === null ? '' : ` (account ${accountId})`
  const delivery = quoteCommand([...cronwrap, 'delivery', '--home', home, job])
  const message = [
    'Do these three steps, and nothing else.',
    `1. Run this command with the exec tool, exactly as it stands, and wait until it has ended; if it goes to the background, poll it until it is done:`,
    run,
    `2. If its exit code is 0, send what it printed to ${channel} ${to}${account} with the message tool, and keep the messageId that comes back. If the exit code is not 0, send its last lines and the exit code instead, and never say that it succeeded.`,
    `3. Record the delivery with the returned messageId:`,
    `${delivery} MESSAGE_ID`,
    `If it printed nothing and there was nothing to send: ${delivery} none skipped`,
    `If sending failed: ${delivery} none failed --error "what went wrong", and answer with that error.`,
    'Otherwise answer NO_REPLY.',
  ].join('\n')
  return ['--session', 'isolated', '--message', message]
}

function ownTimeout({ timeoutMs, agent }: AddRequest): string[] {
  const headStartMs = agent ? Math.min(AGENT_HEAD_START_MS, timeoutMs / 2) : HEAD_START_MS
  return ['--timeout', `${Math.round((timeoutMs - headStartMs) / 1000)}s`, '--kill-after', KILL_AFTER]
}

/** OpenClaw's PATH and working directory are the gateway's: the program and its script must not depend on them. */
function absolute({ command, cwd, env }: AddRequest): string[] {
  const [program = '', first, ...rest] = command
  const path = program.includes('/') ? resolve(cwd, program) : findProgram(program, env)
  if (path === null || explainUnusable(path, env) !== null)
    throw new CronwrapError('BAD_VALUE', `${program} was not found, or is no program`, {
      hint: 'name it with its full path',
    })
  if (first === undefined) return [path]
  const isScript = !first.startsWith('-') && /\.\w+$/.test(first) && fs.existsSync(resolve(cwd, first))
  return [path, isScript ? resolve(cwd, first) : first, ...rest]
}

/** cronwrap by its full path, as the user calls it. */
export function cronwrapWords(env: NodeJS.ProcessEnv): string[] {
  const installed = findProgram('cronwrap', env)
  return installed === null ? [process.execPath, fs.realpathSync(process.argv[1] ?? '')] : [installed]
}

/** As the user has it; the Node that runs us comes last, for `cronwrap`, which env(1) starts. */
function searchPath(env: NodeJS.ProcessEnv): string {
  const directories = (env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin').split(':').filter(Boolean)
  return [...new Set([...directories, dirname(process.execPath)])].join(':')
}
