import * as fs from 'node:fs'
import { dirname, resolve } from 'node:path'
import { CronwrapError } from '../errors.ts'
import { findProgram } from '../platform/find-program.ts'
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
  /** The base directory when it is not the default one. */
  readonly home: string | null
  /** An agent runs the command and sends the result, instead of OpenClaw itself. */
  readonly agent: boolean
  readonly env: NodeJS.ProcessEnv
}

/** TERM and, should the job ignore it, KILL come before OpenClaw's timeout, which would lose the output. */
const HEAD_START_MS = 10_000
const KILL_AFTER = '5s'
const LEAST_TIMEOUT_MS = 20_000

/**
 * The words of the `openclaw cron add` that runs the command under cronwrap.
 * @throws CronwrapError for a program that is not there or a timeout that leaves no room for ours
 */
export function addWords(request: AddRequest): string[] {
  const { job, schedule, tz, channel, to, accountId, timeoutMs, agent } = request
  if (timeoutMs < LEAST_TIMEOUT_MS)
    throw new CronwrapError('BAD_VALUE', `--timeout ${timeoutMs} ms is too short: cronwrap ends the job 10s before`, {
      hint: 'give at least 20s; OpenClaw jobs usually get 180s or more',
    })
  return [
    'openclaw',
    'cron',
    'add',
    '--name',
    job,
    ...scheduleWords(schedule),
    ...given('--tz', tz),
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

function scheduleWords(schedule: string): string[] {
  if (/^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/.test(schedule)) return ['--every', schedule]
  return [/^\d{4}-\d\d-\d\dT/.test(schedule) ? '--at' : '--cron', schedule]
}

function commandWords(request: AddRequest): string[] {
  const variables = [`CRONWRAP_JOB=${request.job}`, `PATH=${searchPath(request.env)}`]
  if (request.home !== null) variables.push(`CRONWRAP_HOME=${request.home}`)
  const argv = [...wrapper(request.env), ...ownTimeout(request), '--on-failure-line', '--', ...absolute(request)]
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
  const { job, channel, to, accountId, home } = request
  const cronwrap = wrapper(request.env)
  const flags = [...given('--home', home), '--job', job, ...ownTimeout(request)]
  const run = quoteCommand([...cronwrap, ...flags, '--', ...absolute(request)])
  const account = accountId === null ? '' : ` (account ${accountId})`
  const delivery = quoteCommand([...cronwrap, ...given('--home', home), 'delivery', job])
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

function ownTimeout({ timeoutMs }: AddRequest): string[] {
  return ['--timeout', `${Math.round((timeoutMs - HEAD_START_MS) / 1000)}s`, '--kill-after', KILL_AFTER]
}

/** OpenClaw's PATH and working directory are the gateway's: nothing may depend on them. */
function absolute({ command, cwd, env }: AddRequest): string[] {
  const [program = '', ...args] = command
  const path = program.includes('/') ? resolve(cwd, program) : findProgram(program, env)
  if (path === null || !fs.existsSync(path))
    throw new CronwrapError('BAD_VALUE', `${program} was not found`, { hint: 'name it with its full path' })
  const isFile = (word: string): boolean => !word.startsWith('-') && fs.existsSync(resolve(cwd, word))
  return [path, ...args.map((word) => (isFile(word) ? resolve(cwd, word) : word))]
}

/** cronwrap by its full path, as the user calls it. */
function wrapper(env: NodeJS.ProcessEnv): string[] {
  const installed = findProgram('cronwrap', env)
  return installed === null ? [process.execPath, fs.realpathSync(process.argv[1] ?? '')] : [installed]
}

/** The Node that runs us first: `cronwrap` starts it through env(1). */
function searchPath(env: NodeJS.ProcessEnv): string {
  const node = dirname(process.execPath)
  const rest = (env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin').split(':').filter((directory) => directory !== node)
  return [node, ...rest].join(':')
}
