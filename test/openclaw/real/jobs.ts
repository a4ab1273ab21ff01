import { BIN } from '../../support/rig.ts'
import { messageFor, type ModelScript } from './model-server.ts'
import type { World } from './world.ts'

/** The 29th of February: a valid schedule that does not come due while this runs. */
const SCHEDULE = ['--cron', '0 7 29 2 *', '--tz', 'UTC']

export interface CommandJob {
  readonly name: string
  /** What follows `cronwrap`. */
  readonly words: readonly string[]
  /** OpenClaw's own limit. */
  readonly timeoutSeconds?: number
  /** Where the result is delivered; nowhere without it. */
  readonly webhook?: string
}

export interface AgentJob extends Omit<ModelScript, 'command'> {
  readonly name: string
  /** What the message asks the model to run. */
  readonly command: string
}

/** What OpenClaw keeps of a run; every field that is not always there is optional. */
export interface OpenClawRun {
  readonly status: string
  readonly completionStatus: string
  readonly error?: string
  readonly errorReason?: string
  readonly summary?: string
  readonly deliveryStatus?: string
  readonly durationMs: number
}

/** Adds a job that runs a command of cronwrap's without a model. @returns its id */
export async function addCommandJob({ gateway }: World, job: CommandJob): Promise<string> {
  const argv = [process.execPath, BIN, ...job.words]
  const env = [`CRONWRAP_JOB=${job.name}`, `CRONWRAP_HOME=${gateway.env['CRONWRAP_HOME']}`]
  const limit = job.timeoutSeconds === undefined ? [] : ['--timeout-seconds', String(job.timeoutSeconds)]
  return addJob(gateway, [
    '--name',
    job.name,
    ...SCHEDULE,
    '--command-argv',
    JSON.stringify(argv),
    ...env.flatMap((setting) => ['--command-env', setting]),
    ...limit,
    ...(job.webhook === undefined ? ['--no-deliver'] : ['--webhook', job.webhook]),
  ])
}

/** Adds a job in which the model is asked to run a command. @returns its id */
export async function addAgentJob({ gateway }: World, { name, ...script }: AgentJob): Promise<string> {
  const words = ['--name', name, ...SCHEDULE, '--session', 'isolated', '--message', messageFor(script)]
  return addJob(gateway, [...words, '--no-deliver'])
}

async function addJob(gateway: World['gateway'], words: readonly string[]): Promise<string> {
  const { id } = (await gateway.json(['cron', 'add', ...words, '--json'])) as { id?: string }
  if (id === undefined) throw new Error('openclaw cron add: no id in its answer')
  return id
}

/** Runs the job now and waits; its result is in the answer, whatever the exit code says. */
export async function runJob({ gateway }: World, id: string): Promise<OpenClawRun> {
  const limits = ['--wait', '--wait-timeout', '2m', '--poll-interval', '500ms']
  const { code, stdout, stderr } = await gateway.call(['cron', 'run', id, ...limits])
  const { entries } = (await gateway.json(['cron', 'runs', id, '--limit', '1', '--json'])) as {
    entries: OpenClawRun[]
  }
  const [run] = entries
  if (run === undefined) throw new Error(`openclaw cron run: exit code ${code}, no run: ${stdout}${stderr}`)
  return run
}
