import { basename } from 'node:path'
import { findProgram } from '../platform/find-program.ts'
import { CRON_PATH } from './check-environment.ts'
import type { Finding } from './finding.ts'

/** A line of a user's crontab that runs something. */
interface CronLine {
  readonly command: string
  /** The PATH that the lines before it set, or cron's own. */
  readonly path: string
}

/** The lines of this user's crontab; none where there is no crontab(1), or nothing in it. */
export async function readCrontab(): Promise<readonly string[]> {
  const { execa } = await import('execa')
  const { stdout, failed } = await execa('crontab', ['-l'], { reject: false, stdin: 'ignore', timeout: 10_000 })
  return failed ? [] : stdout.split('\n')
}

/** What keeps crontab lines from running or from being recorded. Pure but for the look whether programs exist. */
export function checkCrontab(lines: readonly string[]): Finding[] {
  return parseLines(lines).flatMap(({ command, path }) => [
    ...unwrapped(command),
    ...unfindable(command, path),
    ...percent(command),
  ])
}

function parseLines(lines: readonly string[]): CronLine[] {
  let path = CRON_PATH
  return lines.flatMap((line) => {
    const text = line.trim()
    const variable = /^(\w+)\s*=\s*(.*)$/.exec(text)
    if (variable?.[1] === 'PATH') path = (variable[2] ?? '').replace(/^["']|["']$/g, '')
    if (text === '' || text.startsWith('#') || variable !== null) return []
    const command = /^(?:@\w+|(?:\S+\s+){4}\S+)\s+(.*)$/.exec(text)?.[1]
    return command === undefined ? [] : [{ command, path }]
  })
}

function finding(id: string, severity: Finding['severity'], seen: string, means: string, next: string): Finding {
  return { id, severity, job: null, seen, means, next }
}

function unwrapped(command: string): Finding[] {
  if (/(?:^|\/|\s)cronwrap(?:\.js)?\s/.test(command) || command.includes('run-parts')) return []
  const means = 'nothing of it is on record'
  return [
    finding(
      'crontab-not-wrapped',
      'warning',
      `the crontab runs: ${command}`,
      means,
      `crontab -e: cronwrap -- ${command}`,
    ),
  ]
}

function unfindable(command: string, path: string): Finding[] {
  const program = /^(?:\w+=\S*\s+)*(\S+)/.exec(command)?.[1] ?? ''
  if (basename(program) !== 'cronwrap' || findProgram(program, { PATH: path }) !== null || program.includes('/'))
    return []
  const seen = `${program} is not in the crontab's PATH=${path}: ${command}`
  return [
    finding(
      'crontab-path',
      'error',
      seen,
      'the line fails with 127 at each tick',
      'crontab -e: name cronwrap with its full path',
    ),
  ]
}

function percent(command: string): Finding[] {
  if (!/(?<!\\)%/.test(command)) return []
  const means = 'cron takes everything after % for standard input'
  return [
    finding('crontab-percent', 'warning', `an unescaped % in: ${command}`, means, String.raw`crontab -e: write \%`),
  ]
}
