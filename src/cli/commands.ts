import { constants } from 'node:os'
import { resolveHome } from '../config/base-directory.ts'
import { CronwrapError } from '../errors.ts'
import { readWords } from '../config/argv.ts'
import { HOME_FLAG, type Command } from './command.ts'
import { alertsCommand } from './commands/alerts.ts'
import { checkCommand } from './commands/check.ts'
import { deliveryCommand } from './commands/delivery.ts'
import { doctorCommand } from './commands/doctor.ts'
import { forgetCommand } from './commands/forget.ts'
import { logsCommand } from './commands/logs.ts'
import { notifyCommand } from './commands/notify.ts'
import { metricsCommand } from './commands/metrics.ts'
import { openclawCommand } from './commands/openclaw.ts'
import { recordCommand } from './commands/record.ts'
import { repairCommand } from './commands/repair.ts'
import { runsCommand } from './commands/runs.ts'
import { scheduleCommand } from './commands/schedule.ts'
import { stateCommand } from './commands/state.ts'
import { statusCommand } from './commands/status.ts'
import { summaryCommand } from './commands/summary.ts'
import { reportError } from './report-error.ts'
import { printHelp } from './program.ts'

const COMMANDS: readonly Command[] = [
  deliveryCommand,
  statusCommand,
  checkCommand,
  notifyCommand,
  alertsCommand,
  logsCommand,
  runsCommand,
  recordCommand,
  summaryCommand,
  metricsCommand,
  repairCommand,
  forgetCommand,
  stateCommand,
  scheduleCommand,
  doctorCommand,
  openclawCommand,
]

const HELP_FLAG = { takesValue: false, short: 'h', description: 'Print this help' }

/**
 * Runs one subcommand and reports its errors: this file and the one that runs jobs are bundled apart,
 * and a CronwrapError of one is not the other's.
 * @returns the exit code
 */
export async function runSubcommand(name: string, words: readonly string[]): Promise<number> {
  try {
    return await dispatch(name, words)
  } catch (error) {
    const fail = COMMANDS.find((each) => each.name === name)?.fail
    const json = words.includes('--json')
    return fail === undefined ? reportError(error, { json }) : fail(error, { json })
  }
}

async function dispatch(name: string, words: readonly string[]): Promise<number> {
  endQuietlyWithoutReader()
  const command = COMMANDS.find((each) => each.name === name)
  if (command === undefined) return printHelp(COMMANDS, name === 'help' ? words[0] : name)
  const flags = new Map([...command.flags, ['home', HOME_FLAG], ['help', HELP_FLAG]])
  const input = readWords(words, flags)
  if (input.flags.get('help') === 'true') return printHelp(COMMANDS, name)
  const [least, most] = command.positionals
  if (input.positionals.length < least || input.positionals.length > most) {
    throw new CronwrapError('USAGE', `usage: cronwrap ${name} ${command.usage}`.trim(), {
      hint: `see cronwrap ${name} --help`,
    })
  }
  if (command.notifies) endOnSignals()
  const home = resolveHome(input.flags.get('home'), process.env)
  return command.run({ ...input, home, now: new Date() })
}

/** Through `exit`, where what was started is killed; a signal's own way would pass by it. */
function endOnSignals(): void {
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => process.exit(128 + constants.signals[signal]))
}

/** `cronwrap status | head -1` closes the pipe on us; that is no error of anybody's. */
function endQuietlyWithoutReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : reportError(error, { json: false }))
  })
}
