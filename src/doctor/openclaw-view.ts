import { askOpenclaw, field, listIn, textField } from '../openclaw/openclaw-cli.ts'
import { listJobs, readJob, readJobs, type OpenclawJob } from '../openclaw/openclaw-job.ts'
import { listRuns, readRun, type OpenclawRun } from '../openclaw/openclaw-run.ts'
import { listProcessTexts } from './process-texts.ts'
import type { Finding } from './finding.ts'

/** What OpenClaw says of its jobs. */
export interface OpenclawView {
  readonly jobs: readonly OpenclawJob[]
  /** Its database was read without the gateway: runs are known, definitions are not. */
  readonly gatewayDown: boolean
  readonly runsOf: (job: OpenclawJob) => Promise<readonly OpenclawRun[]>
  readonly findings: readonly Finding[]
}

/** Null where there is no OpenClaw. */
export async function viewOpenclaw(): Promise<OpenclawView | null> {
  const answer = await listJobs()
  if (answer.kind === 'absent') return null
  if (answer.kind === 'answer')
    return { jobs: readJobs(answer.value), gatewayDown: false, runsOf: runsFromGateway, findings: [] }
  return viewFromTasks(answer.message)
}

async function runsFromGateway({ id }: OpenclawJob): Promise<readonly OpenclawRun[]> {
  const answer = await listRuns(id)
  return answer.kind === 'runs' ? answer.runs : []
}

/** A job's definition is asked of the gateway; its runs are in the task list, which needs none. */
async function viewFromTasks(message: string): Promise<OpenclawView> {
  const tasks = await askOpenclaw(['tasks', 'list', '--runtime', 'cron', '--json'])
  const details =
    tasks.kind === 'answer' ? listIn(tasks.value, 'tasks').map((task) => field(task, 'detail') ?? task) : []
  const runs = details.flatMap((detail) => readRun(detail) ?? [])
  const names = new Map(details.map((detail) => [textField(detail, 'jobId') ?? '', textField(detail, 'jobName')]))
  const jobs = [...names].flatMap(([id, name]) => readJob({ id, name: name ?? id }) ?? [])
  return {
    jobs,
    gatewayDown: true,
    runsOf: ({ id }) =>
      Promise.resolve(runs.filter(({ jobId }) => jobId === id).toSorted((a, b) => b.startedMs - a.startedMs)),
    findings: [gatewayFinding(message)],
  }
}

/** An answer alone proves that it lives: a process may hang, and an exit code says nothing. */
function gatewayFinding(message: string): Finding {
  const processes = listProcessTexts().filter((text) =>
    /^\S*(?:node\S*\s+\S*)?openclaw\S*\s*(?:.*\s)?gateway\b|^openclaw-gateway/.test(text),
  )
  const [seen, next] =
    processes.length > 0
      ? ['the OpenClaw gateway runs and does not answer', 'openclaw gateway restart']
      : ['no OpenClaw gateway is running', 'openclaw gateway status']
  const means = `no OpenClaw job runs, and none of its alerts is sent (${message})`
  return { id: 'gateway-down', severity: 'error', job: null, seen, means, next }
}
