import { askOpenclaw, field, listIn, textField, type Answer } from './openclaw-cli.ts'
import { readJob, readJobs, type OpenclawJob } from './openclaw-job.ts'
import { readRun, type OpenclawRun } from './openclaw-run.ts'
import { findWrapped } from './job-command.ts'

/** What OpenClaw says of its jobs. */
export interface OpenclawView {
  readonly jobs: readonly OpenclawJob[]
  /** Why the gateway did not answer: then runs are known from the task list, definitions are not. Null when it did. */
  readonly silence: string | null
  /** There are more jobs than it told. */
  readonly isPartial: boolean
  /** The latest runs, newest first; null when it would not say. */
  readonly runsOf: (job: OpenclawJob) => Promise<readonly OpenclawRun[] | null>
}

/** All jobs, those that are disabled too; `readJobs` reads the answer. */
export async function askForJobs(): Promise<Answer> {
  return askOpenclaw(['cron', 'list', '--all', '--json'])
}

/** Null where there is no OpenClaw. */
export async function viewOpenclaw(): Promise<OpenclawView | null> {
  const answer = await askForJobs()
  if (answer.kind === 'absent') return null
  if (answer.kind === 'failed') return viewFromTasks(answer.message)
  const isPartial = field(answer.value, 'hasMore') === true
  return { jobs: readJobs(answer.value), silence: null, isPartial, runsOf: runsFromGateway }
}

async function runsFromGateway({ id }: OpenclawJob): Promise<readonly OpenclawRun[] | null> {
  const answer = await askOpenclaw(['cron', 'runs', id, '--limit', '20', '--json'])
  return answer.kind === 'answer' ? newestFirst(listIn(answer.value, 'entries'), id) : null
}

/** Definitions are asked of the gateway; the runs are in the task list, which needs none. */
async function viewFromTasks(silence: string): Promise<OpenclawView> {
  const tasks = await askOpenclaw(['tasks', 'list', '--runtime', 'cron', '--json'])
  const details =
    tasks.kind === 'answer' ? listIn(tasks.value, 'tasks').map((task) => field(task, 'detail') ?? task) : []
  const names = new Map(details.map((detail) => [textField(detail, 'jobId') ?? '', textField(detail, 'jobName')]))
  return {
    jobs: [...names].flatMap(([id, name]) => readJob({ id, name: name ?? id }) ?? []),
    silence,
    isPartial: true,
    runsOf: ({ id }) => Promise.resolve(newestFirst(details, id)),
  }
}

/** What was skipped has not run. */
function newestFirst(entries: readonly unknown[], jobId: string): OpenclawRun[] {
  return entries
    .map(readRun)
    .filter((run) => run !== null)
    .filter((run) => run.jobId === jobId && run.status !== 'skipped')
    .sort((a, b) => b.startedMs - a.startedMs)
}

/** The jobs there that are this job here: they say so to cronwrap, or have its name. Those that are enabled come first. */
export function jobsRecordingAs(view: OpenclawView, job: string): OpenclawJob[] {
  return view.jobs
    .filter((each) => (findWrapped(each)?.job ?? each.name) === job)
    .toSorted((a, b) => Number(b.enabled) - Number(a.enabled))
}

/** The runs of all of them, newest first; null when OpenClaw would not say. */
export async function runsOfAll(
  view: OpenclawView,
  jobs: readonly OpenclawJob[],
): Promise<readonly OpenclawRun[] | null> {
  const runs = await Promise.all(jobs.map(view.runsOf))
  if (runs.includes(null)) return null
  return runs.flatMap((each) => each ?? []).toSorted((a, b) => b.startedMs - a.startedMs)
}
