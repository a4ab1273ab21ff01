import { readConfigFile } from '../../config/config-file.ts'
import { parseId } from '../../config/job-id.ts'
import { logPath } from '../../record/execution-log.ts'
import { forgetJob } from '../../record/forget-job.ts'
import { JSON_FLAG, type Command } from '../command.ts'
import { followUp } from '../follow-up.ts'
import { print, printJson } from '../output.ts'

export const forgetCommand: Command = {
  name: 'forget',
  usage: '<job>',
  description: 'Take a job that is no more out of status, alerts, check and metrics; its log stays',
  flags: new Map([['json', JSON_FLAG]]),
  examples: ['cronwrap forget old-backup'],
  positionals: [1, 1],
  notifies: true,
  async run({ home, flags, now, positionals: [name = ''] }) {
    const job = parseId(name)
    await forgetJob(home, job, now)
    await followUp(home)
    const isConfigured = readConfigFile(home.config, []).jobs.get(job)?.has('schedule') === true
    if (flags.get('json') === 'true') printJson({ job, forgotten: true })
    else if (isConfigured) print(`${job} is forgotten, until the next check: ${home.config} says when it is due`)
    else print(`${job} is forgotten; its log stays: ${logPath(home, job)}`)
    return 0
  },
}
