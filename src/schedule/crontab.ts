import { assignmentsIn, startersOf } from '../invocation/wrapped-command.ts'
import { foundAs, timesOf, type FoundSchedule, type Times } from './found-schedule.ts'
import { readShellLine, type EnvironmentOf } from '../invocation/started-command.ts'

/** What cron gives a job, unless the crontab says otherwise. */
const CRON_PATH = '/usr/bin:/bin'

/** `system`: the lines name a user before the command, as those of /etc/crontab and /etc/cron.d do. */
export type CrontabForm = 'user' | 'system'

export interface CrontabSource {
  /** What it is called: `crontab`, `/etc/cron.d/backup`. */
  readonly name: string
  readonly form: CrontabForm
  /** What the lines of this user find in their environment; null is the user whose crontab it is. */
  readonly environmentOf: EnvironmentOf
}

/** A line that runs something, or that nobody understands: then its command is empty. */
export interface CronLine extends FoundSchedule {
  /** The command as it stands there; `command` is what cron's shell gets of it. */
  readonly written: string
  /** cron cuts the command at a `%` and gives it the rest to read. */
  readonly hasInput: boolean
  /** The PATH that the command, or the lines before it, set, or cron's own. */
  readonly path: string
}

/** Reads a crontab as cron does. A line that cron would refuse is one with times that cannot be told. */
export function parseCrontab(text: string, source: CrontabSource): CronLine[] {
  const variables: Record<string, string> = {}
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap((raw, index) => {
      const line = raw.trim()
      const variable = readVariable(line)
      if (variable !== null) variables[variable.name] = variable.value
      if (line === '' || line.startsWith('#') || variable !== null) return []
      return readLine(line, `${source.name} line ${index + 1}`, source, { ...variables })
    })
}

function readVariable(line: string): { name: string; value: string } | null {
  const [, quoted, name = quoted, value = ''] = /^(?:["'](\w+)["']|(\w+))\s*=\s*(.*)$/.exec(line) ?? []
  return name === undefined ? null : { name, value: value.replace(/^(["'])(.*)\1$/, '$2') }
}

function readLine(line: string, where: string, source: CrontabSource, variables: Record<string, string>): CronLine[] {
  const parts = splitLine(line, source.form)
  // cronie takes the zone for the lines that follow it; Debian's cron knows no zones.
  const tz = variables['CRON_TZ'] || null
  const spreadMs = 60_000 * Number(/^\d+$/.exec(variables['RANDOM_DELAY'] ?? '') ?? 0)
  if (parts === null) {
    const times: Times = { kind: 'untold', reason: `"${line}" is no line of a crontab` }
    const nothing = { command: '', hasInput: false, wrapped: null, unnamed: null }
    return [{ ...nothing, where, written: line, path: CRON_PATH, times, spreadMs }]
  }
  const [, cut = '', input] = /^((?:\\%|[^%])*)(?:%([^]*))?$/.exec(parts.command) ?? []
  const command = cut.replaceAll('\\%', '%')
  const env = { ...source.environmentOf(parts.user), ...variables }
  const started = readShellLine(command, env, source.environmentOf)
  const first = {
    where,
    command,
    written: parts.command,
    hasInput: input !== undefined,
    path: assignmentsIn(startersOf(started.wrapped))['PATH'] ?? variables['PATH'] ?? CRON_PATH,
    ...foundAs(started, readTimes(parts.when, tz), spreadMs),
  }
  return [first, ...started.followers.map((wrapped) => ({ ...first, wrapped, times: AFTER_ANOTHER }))]
}

const AFTER_ANOTHER: Times = { kind: 'none', reason: 'it runs after another job of its line' }

/** Minutes and hours have no names. */
const NUMBERS = String.raw`[\d*~][\d*~,/-]*`
const NAMES_TOO = String.raw`[\d*~?a-z][\da-z*~?,/#-]*`
const FIELDS = new RegExp(String.raw`^((?:${NUMBERS}\s+){2}(?:${NAMES_TOO}\s+){2}${NAMES_TOO})\s+(.*)$`, 'i')
/** A sixth field in front, of seconds, as some crons take it; what is no weekday is the command. */
const SIX_FIELDS = new RegExp(
  String.raw`^((?:${NUMBERS}\s+){3}(?:${NAMES_TOO}\s+){2}(?:\*|[0-7]|sun|mon|tue|wed|thu|fri|sat)(?:[,/-][\da-z]+)*)\s+(.*)$`,
  'i',
)
const NICKNAME = /^(@\S+)\s+(.*)$/

interface LineParts {
  readonly when: string
  readonly user: string | null
  readonly command: string
}

function splitLine(line: string, form: CrontabForm): LineParts | null {
  // On SUSE a minus keeps cron from logging the start.
  const text = line.replace(/^-(?=[\d*])/, '')
  const found = NICKNAME.exec(text) ?? (form === 'user' ? SIX_FIELDS.exec(text) : null) ?? FIELDS.exec(text)
  const [, when = '', rest = ''] = found ?? []
  const [, user = null, command] = form === 'user' ? [rest, null, rest] : (/^(\S+)\s+(.*)$/.exec(rest) ?? [])
  return found === null || command === undefined || command === '' ? null : { when, user, command }
}

function readTimes(when: string, tz: string | null): Times {
  if (/^@reboot$/i.test(when)) return { kind: 'none', reason: 'it runs when the machine starts' }
  if (when.includes('~')) return { kind: 'untold', reason: `in "${when}" cron itself chooses the time` }
  return timesOf(when, tz)
}
