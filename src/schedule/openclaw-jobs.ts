import * as fs from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { readJobs, type OpenclawJob } from '../openclaw/openclaw-job.ts'
import { field } from '../openclaw/openclaw-cli.ts'
import { askForJobs } from '../openclaw/openclaw-view.ts'
import { readJobCommand } from '../openclaw/job-command.ts'
import { foundAs, NOTHING_FOUND, timesOf, type Findings, type FoundSchedule, type Times } from './found-schedule.ts'

/** What OpenClaw starts. */
export async function findInOpenclaw(): Promise<Findings> {
  const answer = await askForJobs()
  if (answer.kind === 'absent') return isInstalled() ? unreadable('there is no openclaw on the PATH') : NOTHING_FOUND
  if (answer.kind === 'failed') return unreadable(answer.message)
  const isPartial = field(answer.value, 'hasMore') === true
  return {
    found: readJobs(answer.value).map(foundIn),
    unreadable: isPartial ? ['OpenClaw has more jobs than it told'] : [],
  }
}

function unreadable(reason: string): Findings {
  return { found: [], unreadable: [`the jobs of OpenClaw cannot be read: ${reason}`] }
}

/** cron's PATH is short: its jobs must not be forgotten because of that. */
function isInstalled(): boolean {
  return fs.existsSync(process.env['OPENCLAW_STATE_DIR'] || join(homedir(), '.openclaw'))
}

function foundIn(job: OpenclawJob): FoundSchedule {
  return {
    where: `OpenClaw's job "${job.name}"`,
    command: (job.payload === 'command' ? job.argv.join(' ') : job.message) || job.payload,
    ...foundAs(readJobCommand(job), timesOfJob(job), job.schedule?.staggerMs ?? 0),
  }
}

function timesOfJob({ enabled, schedule }: OpenclawJob): Times {
  if (!enabled) return { kind: 'none', reason: 'it is disabled' }
  if (schedule === null) return { kind: 'none', reason: 'it has no regular times' }
  return timesOf(schedule.expression, schedule.tz)
}
