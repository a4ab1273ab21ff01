import { flagValue } from '../../config/option-value.ts'
import * as fs from 'node:fs'
import { resolve } from 'node:path'
import { parseId } from '../../config/job-id.ts'
import { CronwrapError, messageOf } from '../../errors.ts'
import { parseDuration } from '../../platform/duration.ts'
import { printable, quoteCommand } from '../../record/outcome-text.ts'
import { addWords } from '../../openclaw/add-job.ts'
import { lintJobs, type JobFinding } from '../../openclaw/lint.ts'
import { askOpenclaw, cannotAsk } from '../../openclaw/openclaw-cli.ts'
import { readJobs, type OpenclawJob } from '../../openclaw/openclaw-job.ts'
import { askForJobs } from '../../openclaw/openclaw-view.ts'
import { JSON_FLAG, type Command, type CommandFlag, type CommandInput } from '../command.ts'
import { count, createColors, print, printJson } from '../output.ts'

const value = (placeholder: string, description: string): CommandFlag => ({
  takesValue: true,
  placeholder,
  description,
})

export const openclawCommand: Command = {
  name: 'openclaw',
  usage: '<action> [job]',
  description:
    '"add <job> … -- command": make an OpenClaw job that runs under cronwrap; "lint": check those that are there',
  flags: new Map([
    ['schedule', value('<when>', 'add: a cron expression, 10m, or a time')],
    ['tz', value('<zone>', 'add: time zone of the schedule')],
    ['channel', value('<name>', 'add: where the message goes')],
    ['to', value('<id>', 'add: to whom')],
    ['account-id', value('<id>', 'add: which account of the channel sends it')],
    ['timeout', value('<duration>', "add: OpenClaw's limit; cronwrap's is 10s less (900s)")],
    ['cwd', value('<dir>', "add: the job's working directory (this one)")],
    ['agent', { takesValue: false, description: 'add: an agent runs it, sends the result and records the delivery' }],
    ['apply', { takesValue: false, description: 'add: run the line instead of printing it' }],
    ['file', value('<jobs.json>', 'lint: jobs in a file, of any version')],
    ['fix', { takesValue: false, description: 'lint: print the commands that mend it' }],
    ['json', JSON_FLAG],
  ]),
  examples: [
    'cronwrap openclaw add water --schedule "0 7 * * *" --tz Asia/Shanghai \\\n      --channel telegram --to "-1001" -- python3 /srv/jobs/reminder.py',
    'cronwrap openclaw lint',
  ],
  positionals: [1, Infinity],
  async run(input) {
    const [action, ...rest] = input.positionals
    const foreign = [...input.flags.keys()].find(
      (name) => !['home', 'json'].includes(name) && !descriptionOf(name).startsWith(`${action}:`),
    )
    if (foreign !== undefined && (action === 'add' || action === 'lint'))
      throw new CronwrapError('USAGE', `--${foreign} is not for ${action}`, { hint: 'see cronwrap openclaw --help' })
    if (action === 'add') return add(input, rest)
    if (action === 'lint' && rest.length === 0) return lint(input)
    throw new CronwrapError('USAGE', 'usage: cronwrap openclaw add <job> … -- command | lint', {
      hint: 'see cronwrap openclaw --help',
    })
  },
}

function descriptionOf(name: string): string {
  return openclawCommand.flags.get(name)?.description ?? ''
}

async function add({ flags, home }: CommandInput, [job, ...command]: readonly string[]): Promise<number> {
  if (job === undefined || command.length === 0) {
    const hint = 'cronwrap openclaw add water --schedule "0 7 * * *" --channel telegram --to "-1001" -- python3 task.py'
    throw new CronwrapError('USAGE', 'a job and, after --, its command are missing', { hint })
  }
  const words = addWords({
    job: parseId(job),
    schedule: required(flags, 'schedule'),
    tz: flags.get('tz') ?? null,
    channel: required(flags, 'channel'),
    to: required(flags, 'to'),
    accountId: flags.get('account-id') ?? null,
    timeoutMs: flagValue('timeout', flags.get('timeout') ?? '900s', parseDuration),
    command,
    cwd: resolve(flags.get('cwd') ?? process.cwd()),
    home: home.base,
    agent: flags.get('agent') === 'true',
    env: process.env,
  })
  if (flags.get('apply') !== 'true') {
    if (flags.get('json') === 'true') printJson({ command: words })
    else print(quoteCommand(words))
    return 0
  }
  // OpenClaw would add a second one, and both would run.
  if ((await jobsOfOpenclaw()).some(({ name }) => name === job))
    throw new CronwrapError('CONFLICT', `OpenClaw has a job "${job}" already`, {
      hint: 'see openclaw cron edit --help',
    })
  const answer = await askOpenclaw(words.slice(1))
  if (answer.kind === 'answer') printJson(answer.value)
  else if (answer.kind === 'absent' || !answer.ran) throw cannotAsk(answer)
  return 0
}

function required(flags: ReadonlyMap<string, string>, name: string): string {
  const text = flags.get(name)
  if (text !== undefined && text !== '') return text
  throw new CronwrapError('USAGE', `--${name} is missing`, { hint: 'see cronwrap openclaw --help' })
}

async function lint({ flags }: CommandInput): Promise<number> {
  const file = flags.get('file')
  const jobs = file === undefined ? await jobsOfOpenclaw() : jobsInFile(file)
  const findings = lintJobs(jobs, { isLocal: file === undefined })
  if (flags.get('json') === 'true') printJson({ jobs: jobs.length, findings })
  else if (flags.get('fix') === 'true') printFixes(findings)
  else printFindings(jobs, findings)
  return findings.some(({ severity }) => severity === 'error') ? 1 : 0
}

async function jobsOfOpenclaw(): Promise<OpenclawJob[]> {
  const answer = await askForJobs()
  if (answer.kind !== 'answer') throw cannotAsk(answer)
  return readJobs(answer.value)
}

function jobsInFile(file: string): OpenclawJob[] {
  let jobs: OpenclawJob[]
  try {
    jobs = readJobs(JSON.parse(fs.readFileSync(file, 'utf8')))
  } catch (error) {
    throw new CronwrapError('CANNOT_READ', `${file} cannot be read: ${messageOf(error)}`, { cause: error })
  }
  if (jobs.length === 0) throw new CronwrapError('CANNOT_READ', `${file} holds no jobs`)
  return jobs
}

/** What holds a gap for the user to fill is printed as a comment: the rest can be run as it is. */
function printFixes(findings: readonly JobFinding[]): void {
  for (const fix of new Set(findings.map((finding) => finding.fix))) print(/<[^>]+>/.test(fix) ? `# ${fix}` : fix)
}

function printFindings(jobs: readonly OpenclawJob[], findings: readonly JobFinding[]): void {
  const colors = createColors()
  for (const { job, rule, severity, seen, why, fix } of findings) {
    print(
      `${severity === 'error' ? colors.red('✗') : colors.yellow('!')} ${printable(job)}: ${printable(seen)} [${rule}]`,
    )
    print(`  why: ${why}`)
    print(`  fix: ${printable(fix)}`)
  }
  const errors = findings.filter(({ severity }) => severity === 'error').length
  print([count(jobs.length, 'job'), count(errors, 'error'), count(findings.length - errors, 'warning')].join(', '))
}
