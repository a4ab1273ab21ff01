import { check } from '../../check/check.ts'
import {
  describeProblem,
  formatPluginOutput,
  ofJob,
  PLUGIN_STATES,
  type CheckReport,
} from '../../check/plugin-output.ts'
import type { Home } from '../../config/base-directory.ts'
import { parseId } from '../../config/job-id.ts'
import { CronwrapError, messageOf } from '../../errors.ts'
import { readNotifyConfig } from '../../notify/notify-config.ts'
import { deriveAlerts } from '../../record/alerts.ts'
import { printable } from '../../record/outcome-text.ts'
import { failingChannels } from '../../record/failing-channel.ts'
import { listRunning, readSummary } from '../../record/read-records.ts'
import { unknownJob } from '../../record/record-delivery.ts'
import { JSON_FLAG, type Command, type CommandInput } from '../command.ts'
import { followUp } from '../follow-up.ts'
import { print, printJson } from '../output.ts'
import { reportError } from '../report-error.ts'

export const checkCommand: Command = {
  name: 'check',
  usage: '[job]',
  description: 'Find runs that were missed or hang, and all other alerts, and notify; also a Nagios plugin',
  flags: new Map([
    [
      'quiet',
      {
        takesValue: false,
        short: 'q',
        description: 'Print nothing but what keeps it from looking: for cron, where notifications tell',
      },
    ],
    ['json', JSON_FLAG],
  ]),
  examples: ['cronwrap check', 'cronwrap check backup', 'cronwrap check --quiet   # each minute, from cron'],
  positionals: [0, 1],
  notifies: true,
  /** Who runs plugins reads stdout. */
  fail(error, { json }) {
    if (json || !(error instanceof CronwrapError)) reportError(error, { json })
    if (!json) print(`CRONWRAP UNKNOWN - ${printable(messageOf(error))}`)
    return PLUGIN_STATES.indexOf('UNKNOWN')
  },
  run: report,
}

async function report({ home, flags, now, positionals: [name] }: CommandInput): Promise<number> {
  const job = name === undefined ? null : parseId(name)
  const problems = [...(await check(home, now)), ...(await followUp(home))]
  const found = readReport(home, problems)
  if (job !== null && !found.summary.has(job) && !found.running.includes(job))
    throw unknownJob(job, [...found.summary.keys()])
  const { state, text } = formatPluginOutput(found, job)
  if (flags.get('json') === 'true') printJson({ state, ...ofJob(found, job), running: found.running })
  else if (flags.get('quiet') !== 'true') print(text)
  else for (const line of untold(home, found)) print(line)
  return PLUGIN_STATES.indexOf(state)
}

/** What no notification can tell: what is wrong with cronwrap itself, and with all who would be told. */
function untold(home: Home, { summary, problems }: CheckReport): string[] {
  const { names } = readNotifyConfig(home.config)
  const dead = failingChannels(summary).filter(({ target }) => names.has(target))
  const deaf = names.size > 0 && dead.length === names.size ? dead : []
  return [
    ...problems.map(describeProblem),
    ...deaf.map(({ target, error }) =>
      printable(`notifications do not reach ${target}: ${error ?? 'it takes nothing'}`),
    ),
  ]
}

function readReport(home: Home, problems: CheckReport['problems']): CheckReport {
  const summary = readSummary(home)
  const running = listRunning(home).map(({ manifest }) => manifest.job)
  return { summary, running, alerts: deriveAlerts(summary, new Date()), problems }
}
