import { errnoOf } from '../errors.ts'
import { listIn, textField } from '../openclaw/openclaw-cli.ts'
import { splitWords } from '../invocation/shell-words.ts'
import { foundAs, NOTHING_FOUND, type Findings, type FoundSchedule } from './found-schedule.ts'
import { NOT_OURS, readStarted } from '../invocation/started-command.ts'
import { readProperties, spreadOfTimer, timesOfTimer, TIMER_PROPERTIES, type Properties } from './timer-times.ts'
import { cronEnvironmentOf, homeOf, readEnvironmentFile } from '../invocation/user-environment.ts'

const TIMEOUT_MS = 10_000

/** There is one systemd for the machine and one for each user who is logged in. */
type Manager = 'system' | 'user'

/** What the timers of systemd start, those of the machine or those of this user. */
export async function findInTimers(manager: Manager): Promise<Findings> {
  const listed = await systemctl(manager, ['list-timers', '--all', '--output=json'])
  if (listed.kind === 'absent') return NOTHING_FOUND
  const timers = listed.kind === 'answer' ? readTimerList(listed.text) : null
  if (timers === null) {
    const reason = listed.kind === 'answer' ? 'systemctl list-timers printed no JSON' : listed.reason
    return { found: [], unreadable: [`the ${manager} timers of systemd cannot be read: ${reason}`] }
  }
  const names = timers.map(({ timer }) => timer)
  const services = [...new Set(timers.map(({ service }) => service))]
  const [ofTimers, ofServices, given] = await Promise.all([
    show(manager, names, ['Id', ...TIMER_PROPERTIES]),
    show(manager, services, SERVICE_PROPERTIES),
    environmentOfManager(manager),
  ])
  if (ofTimers === null || ofServices === null)
    return { found: [], unreadable: [`the ${manager} timers of systemd cannot be read: systemctl show failed`] }
  const found = timers.map(({ timer, service }) => {
    const unit = { timer, ofTimer: ofTimers.get(timer) ?? new Map(), ofService: ofServices.get(service) ?? new Map() }
    return foundIn(manager, unit, given)
  })
  // One may start a target, which runs no command.
  return { found: found.filter(({ command }) => command !== ''), unreadable: [] }
}

const SERVICE_PROPERTIES = ['Id', 'ExecStart', 'Environment', 'User']

type Answer =
  | { readonly kind: 'answer'; readonly text: string }
  /** No systemd runs here, or none for this user. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly reason: string }

async function systemctl(manager: Manager, words: readonly string[]): Promise<Answer> {
  const { execa } = await import('execa')
  // Under cron and sudo the variable is missing that leads to this user's systemd.
  const runtime = process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.() ?? 0}`
  const env = { LC_ALL: 'C', SYSTEMD_COLORS: '0', XDG_RUNTIME_DIR: runtime }
  const options = { reject: false, stdin: 'ignore', timeout: TIMEOUT_MS, env } as const
  const result = await execa('systemctl', [`--${manager}`, '--no-pager', ...words], options)
  if (!result.failed) return { kind: 'answer', text: result.stdout }
  const said = result.stderr.trim()
  const isAbsent = /not been booted with systemd|connect to .*bus.*(?:No such file|not defined|No medium|refused)/i
  if (isAbsent.test(said) || errnoOf(result.cause) === 'ENOENT') return { kind: 'absent' }
  return {
    kind: 'failed',
    reason: said.split('\n').at(-1) || (result.timedOut ? 'systemctl does not end' : 'it failed'),
  }
}

function readTimerList(text: string): { timer: string; service: string }[] | null {
  try {
    return listIn(JSON.parse(text)).flatMap((each) => {
      const [timer, service] = [textField(each, 'unit'), textField(each, 'activates')]
      return timer === null || service === null ? [] : [{ timer, service }]
    })
  } catch {
    return null // Older versions print a table whatever they are asked.
  }
}

/** The properties of each unit, by its name; null when systemctl would not say. */
async function show(
  manager: Manager,
  units: readonly string[],
  properties: readonly string[],
): Promise<ReadonlyMap<string, Properties> | null> {
  if (units.length === 0) return new Map()
  const answer = await systemctl(manager, ['show', ...properties.map((name) => `--property=${name}`), '--', ...units])
  if (answer.kind !== 'answer') return null
  const blocks = answer.text.split(/\n\n+/).map(readProperties)
  return new Map(blocks.map((block) => [block.get('Id')?.[0] ?? '', block]))
}

/** What it gives each service: for the machine next to nothing, for a user what the session told it; never what a shell exports. */
async function environmentOfManager(manager: Manager): Promise<NodeJS.ProcessEnv> {
  if (manager === 'system') return {}
  const answer = await systemctl(manager, ['show-environment'])
  return answer.kind === 'answer' ? readEnvironmentFile(answer.text) : {}
}

interface Unit {
  readonly timer: string
  readonly ofTimer: Properties
  readonly ofService: Properties
}

function foundIn(manager: Manager, { timer, ofTimer, ofService }: Unit, given: NodeJS.ProcessEnv): FoundSchedule {
  const lines = (ofService.get('ExecStart') ?? []).map((text) => / argv\[\]=(.*?) ; /.exec(text)?.[1] ?? '')
  const user = manager === 'user' ? null : (ofService.get('User')?.[0] ?? 'root')
  const variables = splitWords(ofService.get('Environment')?.join(' ') ?? '').map((word) => word.split(/=(.*)/s))
  const env = { HOME: homeOf(user), ...given, ...(Object.fromEntries(variables) as Record<string, string>) }
  const all = lines.map((line) => readStarted(wordsOf(line), env, cronEnvironmentOf))
  const started = all.find(({ wrapped }) => wrapped !== null) ?? all.find(({ unnamed }) => unnamed !== null)
  return {
    where: manager === 'user' ? `${timer} of this user` : timer,
    command: lines.join('; '),
    ...foundAs(started ?? NOT_OURS, timesOfTimer(ofTimer), spreadOfTimer(ofTimer)),
  }
}

/** systemctl prints the words without quotes: what a shell was given as one of them has come apart. */
function wordsOf(line: string): string[] {
  const words = line.split(' ')
  const flag = words.findIndex((word) => /^-[a-z]*c$/.test(word))
  const isShell = flag > 0 && /(?:^|\/)(?:ba|da|z)?sh$/.test(words[flag - 1] ?? '')
  return isShell ? [...words.slice(0, flag + 1), words.slice(flag + 1).join(' ')] : words
}
