import { parseId } from '../../config/job-id.ts'
import { CronwrapError } from '../../errors.ts'
import { acknowledgeAlerts } from '../../record/acknowledge.ts'
import { deriveAlerts, lookCommand, type Alert } from '../../record/alerts.ts'
import { logPath } from '../../record/execution-log.ts'
import { printable } from '../../record/outcome-text.ts'
import { readSummary, sweepBeforeReading } from '../../record/read-records.ts'
import { unknownJob } from '../../record/record-delivery.ts'
import { JSON_FLAG, type Command, type CommandInput } from '../command.ts'
import { createColors, describeAge, print, printJson } from '../output.ts'

export const alertsCommand: Command = {
  name: 'alerts',
  usage: '[ack <job>]',
  description: 'Show what is wrong now; "ack" marks the alerts of a job as known',
  flags: new Map([['json', JSON_FLAG]]),
  examples: ['cronwrap alerts', 'cronwrap alerts ack backup'],
  positionals: [0, 2],
  async run(input) {
    const { positionals, home } = input
    await sweepBeforeReading(home)
    if (positionals.length === 0) return show(input)
    if (positionals[0] !== 'ack' || positionals[1] === undefined) {
      throw new CronwrapError('USAGE', `usage: cronwrap alerts [ack <job>]`, { hint: 'cronwrap alerts ack backup' })
    }
    return acknowledge(input, parseId(positionals[1]))
  },
}

function show({ home, flags, now }: CommandInput): number {
  const alerts = deriveAlerts(readSummary(home), now)
  if (flags.get('json') === 'true') printJson(alerts)
  else if (alerts.length === 0) print('no alerts')
  else for (const alert of alerts) print(describeAlert(alert, logPath(home, alert.job_id), now))
  return 0
}

function describeAlert(alert: Alert, log: string, now: Date): string {
  const colors = createColors()
  const name = alert.acknowledged ? colors.dim(`${alert.job_id} (acknowledged)`) : colors.red(colors.bold(alert.job_id))
  const lines = [
    `${name}: ${alert.message}`,
    `  since ${alert.since} (${describeAge(alert.since, now)}), latest ${alert.alert_time}`,
    ...(alert.last_error === null ? [] : [`  last error: ${printable(alert.last_error)}`]),
    `  look: ${lookCommand(alert.job_id, alert)}`,
    `  log: ${log}`,
  ]
  return lines.join('\n')
}

async function acknowledge({ home, now, flags }: CommandInput, job: string): Promise<number> {
  const summary = readSummary(home)
  if (!summary.has(job)) throw unknownJob(job, [...summary.keys()])
  const kinds = await acknowledgeAlerts(home, job, now)
  if (flags.get('json') === 'true') printJson({ job, acknowledged: kinds })
  else print(kinds.length === 0 ? `${job} has no alert to acknowledge` : `${job}: acknowledged ${kinds.join(', ')}`)
  return 0
}
