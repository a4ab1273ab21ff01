import type { Home } from '../../config/base-directory.ts'
import { CronwrapError } from '../../errors.ts'
import { sampleMessage } from '../../notify/message.ts'
import { readNotifyConfig, type NotifyConfig, type Target } from '../../notify/notify-config.ts'
import { send } from '../../notify/send.ts'
import { toLocalIso } from '../../platform/clock.ts'
import { newRunId } from '../../platform/run-id.ts'
import { printable } from '../../record/outcome-text.ts'
import { readSummary, sweepBeforeReading } from '../../record/read-records.ts'
import { JSON_FLAG, type Command, type CommandInput } from '../command.ts'
import { createColors, formatTable, print, printJson } from '../output.ts'

export const notifyCommand: Command = {
  name: 'notify',
  usage: '[test] [target]',
  description: 'Show who is told of alerts, and what has not arrived; "test" sends a sample and shows the answer',
  flags: new Map([['json', JSON_FLAG]]),
  examples: ['cronwrap notify', 'cronwrap notify test', 'cronwrap notify test ops'],
  positionals: [0, 2],
  async run(input) {
    const { positionals, home } = input
    const config = readNotifyConfig(home.config)
    for (const problem of config.problems) process.stderr.write(`cronwrap: ${problem}\n`)
    if (positionals[0] === 'test') return test(input, config, positionals[1])
    if (positionals.length > 0) {
      throw new CronwrapError('USAGE', 'usage: cronwrap notify [test] [target]', { hint: 'cronwrap notify test ops' })
    }
    await sweepBeforeReading(home)
    await show(input, config)
    return 0
  },
}

async function test({ home, flags }: CommandInput, config: NotifyConfig, name: string | undefined): Promise<number> {
  const targets = name === undefined ? [...config.targets.values()] : [targetOf(home, config, name)]
  if (targets.length === 0) throw noTargets(home)
  const message = sampleMessage(home, newRunId(), toLocalIso(new Date()))
  const results = await Promise.all(
    targets.map(async (target) => ({ target: target.name, ...(await send(target, message, config.timeoutMs)) })),
  )
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

function targetOf(home: Home, { targets }: NotifyConfig, name: string): Target {
  const target = targets.get(name)
  if (target !== undefined) return target
  if (targets.size === 0) throw noTargets(home)
  throw new CronwrapError('BAD_VALUE', `there is no target "${name}" in ${home.config}`, {
    hint: `there are ${[...targets.keys()].join(', ')}`,
  })
}

function noTargets(home: Home): CronwrapError {
  return new CronwrapError('BAD_VALUE', `no targets are named in ${home.config}`, {
    hint: '{"notify": {"targets": {"me": {"type": "mail", "to": "root"}}}}',
  })
}

interface Waiting {
  readonly job: string
  readonly target: string
  readonly step: string
  readonly message: string
  readonly attempts: number
  readonly retry_at: string | null
  readonly error: string | null
}

async function show({ home, flags }: CommandInput, { targets }: NotifyConfig): Promise<void> {
  const waiting = waitingNotifications(home)
  const names = [...targets.values()].map(({ name, type }) => ({ name, type }))
  if (flags.get('json') === 'true') {
    printJson({ targets: names, waiting })
    return
  }
  if (names.length === 0) print(`no targets are named in ${home.config}`)
  for (const { name, type } of names) print(`${name} (${type})`)
  if (waiting.length === 0) {
    print('everything that was to be told has been told')
    return
  }
  const colors = createColors()
  const heading = ['JOB', 'STEP', 'TARGET', 'ATTEMPTS', 'NEXT', 'ERROR'].map((text) => colors.bold(text))
  const rows = waiting.map(({ job, step, target, attempts, retry_at, error }) => [
    job,
    step,
    target,
    String(attempts),
    retry_at?.slice(0, 19).replace('T', ' ') ?? 'with the next run or check',
    printable(error ?? ''),
  ])
  print(`\n${await formatTable([heading, ...rows])}`)
}

function waitingNotifications(home: Home): Waiting[] {
  return [...readSummary(home)].flatMap(([job, { notifications }]) =>
    notifications.flatMap(({ step, alert, targets }) =>
      targets.map(({ name, attempts, retry_at, error }) => ({
        job,
        target: name,
        step,
        message: alert.message,
        attempts,
        retry_at,
        error,
      })),
    ),
  )
}
