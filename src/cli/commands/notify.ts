import { readConfigFile } from '../../config/config-file.ts'
import type { Home } from '../../config/base-directory.ts'
import { CronwrapError } from '../../errors.ts'
import { decideNotifications } from '../../notify/decide-notifications.ts'
import { sampleMessage } from '../../notify/message.ts'
import { readNotifyConfig, type NotifyConfig } from '../../notify/notify-config.ts'
import type { Target } from '../../notify/target.ts'
import { noteThatTargetWorks } from '../../notify/notify.ts'
import { send } from '../../notify/send.ts'
import { waitingNotifications, type WaitingNotification } from '../../notify/waiting-notifications.ts'
import { toLocalIso } from '../../platform/clock.ts'
import { newRunId } from '../../platform/run-id.ts'
import { deriveAlerts } from '../../record/alerts.ts'
import { failingChannels } from '../../record/failing-channel.ts'
import { firstFew, printable } from '../../record/outcome-text.ts'
import type { NotificationDecided } from '../../record/notification-event.ts'
import { readSummary, sweepBeforeReading } from '../../record/read-records.ts'
import type { Summary } from '../../record/summary.ts'
import { JSON_FLAG, type Command, type CommandInput } from '../command.ts'
import { count, createColors, formatTable, print, printJson } from '../output.ts'

export const notifyCommand: Command = {
  name: 'notify',
  usage: '[test] [target]',
  description: 'Show who is told of alerts, and what has not arrived; "test" sends a sample and shows the answer',
  flags: new Map([['json', JSON_FLAG]]),
  examples: ['cronwrap notify', 'cronwrap notify test', 'cronwrap notify test ops'],
  positionals: [0, 2],
  notifies: true,
  async run(input) {
    const { positionals, home } = input
    const config = readNotifyConfig(home.config)
    const warnings: string[] = []
    readConfigFile(home.config, warnings)
    const isOne = positionals[0] === 'test' && config.targets.has(positionals[1] ?? '')
    // Who tests one target has others in mind.
    for (const problem of isOne ? [] : [...warnings, ...config.problems]) process.stderr.write(`cronwrap: ${problem}\n`)
    if (positionals[0] === 'test') return test(input, config, positionals[1])
    if (positionals.length > 0) {
      throw new CronwrapError('USAGE', 'usage: cronwrap notify [test] [target]', { hint: 'cronwrap notify test ops' })
    }
    await sweepBeforeReading(home)
    await show(input, config)
    return 0
  },
}

async function test(
  { home, flags, now }: CommandInput,
  config: NotifyConfig,
  name: string | undefined,
): Promise<number> {
  const targets = name === undefined ? [...config.targets.values()] : [targetOf(home, config, name)]
  if (targets.length === 0) throw noTargets(home, config)
  const message = sampleMessage(home, newRunId(), toLocalIso(new Date()))
  const results = await Promise.all(
    targets.map(async (target) => ({ target: target.name, ...(await send(target, message, config.timeoutMs)) })),
  )
  for (const { target, kind } of results) if (kind === 'sent') await noteThatTargetWorks(home, target, now)
  if (flags.get('json') === 'true') printJson(results)
  else {
    const colors = createColors()
    for (const result of results) {
      const end = result.kind === 'sent' ? colors.green('sent') : colors.red(result.kind)
      print(`${result.target}: ${end}, ${printable(result.kind === 'sent' ? result.answer : result.error)}`)
    }
  }
  return results.every(({ kind }) => kind === 'sent') ? 0 : 1
}

function targetOf(home: Home, config: NotifyConfig, name: string): Target {
  const { targets, names } = config
  const target = targets.get(name)
  if (target !== undefined) return target
  if (names.size === 0 || names.has(name)) throw noTargets(home, config)
  throw new CronwrapError('BAD_VALUE', `there is no target "${name}" in ${home.config}`, {
    hint: `there are ${[...names].join(', ')}`,
  })
}

function noTargets(home: Home, { names }: NotifyConfig): CronwrapError {
  if (names.size > 0)
    return new CronwrapError('BAD_VALUE', 'it cannot be tested', { hint: `mend what is said above in ${home.config}` })
  return new CronwrapError('BAD_VALUE', `no targets are named in ${home.config}`, {
    hint: '{"notify": {"targets": {"me": {"type": "mail", "to": "root"}}}}',
  })
}

async function show({ home, flags, now }: CommandInput, config: NotifyConfig): Promise<void> {
  const { targets, targetsOf } = config
  const summary = readSummary(home)
  const [waiting, failing, held] = [
    waitingNotifications(summary),
    failingChannels(summary),
    heldIn(summary, config, now),
  ]
  const names = [...targets.values()].map(({ name, type }) => ({ name, type }))
  if (flags.get('json') === 'true') {
    printJson({ targets: names, waiting, held, failing })
    return
  }
  if (names.length === 0) print(`no targets are named in ${home.config}`)
  for (const { name, type } of names) print(`${name} (${type})${audienceOf(name, summary, config)}`)
  const untold = deriveAlerts(summary, now).filter((alert) => targetsOf(alert.job_id).length === 0)
  if (untold.length > 0) print(`nobody is told of ${count(untold.length, 'open alert')}: cronwrap alerts`)
  for (const { target, jobs, since, error } of failing)
    print(
      createColors().red(
        `${target} has taken nothing of ${count(jobs.length, 'job')} since ${since}: ${printable(error ?? '')}`,
      ),
    )
  for (const { job, message, until } of held)
    print(`${job}: ${printable(message)}; told after the cooldown, at ${until}`)
  if (waiting.length === 0) print('nothing waits to be sent')
  else print(`\n${await waitingTable(waiting)}`)
}

/** Of which jobs it hears, where it does not hear of all. */
function audienceOf(target: string, summary: Summary, { targetsOf }: NotifyConfig): string {
  const jobs = [...summary.keys()].filter((job) => targetsOf(job).includes(target))
  if (jobs.length === summary.size) return ''
  return jobs.length === 0 ? ', hears of no job' : `, hears of ${firstFew(jobs)}`
}

async function waitingTable(waiting: readonly WaitingNotification[]): Promise<string> {
  const heading = ['JOB', 'STEP', 'TARGET', 'ATTEMPTS', 'NEXT', 'ERROR'].map((text) => createColors().bold(text))
  const rows = waiting.map(({ job, step, target, attempts, retry_at, error }) => [
    job,
    step,
    target,
    String(attempts),
    retry_at?.slice(0, 19).replace('T', ' ') ?? 'with the next run or check',
    printable(error ?? ''),
  ])
  return formatTable([heading, ...rows])
}

/** What would be told now, but for the cooldown. */
function heldIn(summary: Summary, config: NotifyConfig, now: Date): { job: string; message: string; until: string }[] {
  const alerts = deriveAlerts(summary, now)
  const decide = (cooldownMs: number): NotificationDecided[] =>
    decideNotifications(summary, alerts, { ...config, cooldownMs }, now, String)
  const soon = new Set(decide(config.cooldownMs).map(({ job, alert }) => `${job} ${alert.kind}`))
  return decide(0)
    .filter(({ job, alert }) => !soon.has(`${job} ${alert.kind}`))
    .map(({ job, alert }) => {
      const told = summary.get(job)?.told.find(({ kind }) => kind === alert.kind)
      const untilMs = Date.parse(told?.time ?? '') + config.cooldownMs
      return { job, message: alert.message, until: toLocalIso(new Date(untilMs)) }
    })
}
