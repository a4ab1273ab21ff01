import * as fs from 'node:fs'
import { join } from 'node:path'
import { errnoOf, messageOf } from '../errors.ts'
import { parseCrontab, type CronLine, type CrontabForm, type CrontabSource } from './crontab.ts'
import { NOTHING_FOUND, type Findings } from './found-schedule.ts'
import { cronEnvironmentOf, environmentOf } from '../invocation/user-environment.ts'

const TIMEOUT_MS = 10_000

export type CrontabText =
  | { readonly kind: 'text'; readonly text: string }
  /** There is no crontab(1), or nothing in it. */
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable'; readonly reason: string }

/** This user's crontab, as `crontab -l` prints it. */
export async function readUserCrontab(): Promise<CrontabText> {
  const { execa } = await import('execa')
  const options = { reject: false, stdin: 'ignore', timeout: TIMEOUT_MS } as const
  const { stdout, stderr, failed, timedOut, cause } = await execa('crontab', ['-l'], options)
  if (!failed) return { kind: 'text', text: stdout }
  const isNone = stderr === '' || /no crontab/i.test(stderr)
  if (!timedOut && (isNone || errnoOf(cause) !== undefined)) return { kind: 'none' }
  return { kind: 'unreadable', reason: stderr.trim() || 'crontab -l does not end' }
}

export async function findInUserCrontab(): Promise<Findings> {
  const crontab = await readUserCrontab()
  if (crontab.kind === 'none') return NOTHING_FOUND
  if (crontab.kind === 'unreadable') return { found: [], unreadable: [`the crontab cannot be read: ${crontab.reason}`] }
  return { found: linesOf(crontab.text, { name: 'crontab', form: 'user' }), unreadable: [] }
}

/** Those that cron reads of its own accord, for all users. */
export function findInSystemCrontabs(etc = '/etc'): Findings {
  const directory = join(etc, 'cron.d')
  const listed = attempt(directory, () => fs.readdirSync(directory))
  // cron passes over names as those of backups and of what a package left behind.
  const names = listed.values.filter((name) => /^[A-Za-z0-9_-]+$/.test(name)).toSorted()
  const paths = [join(etc, 'crontab'), ...names.map((name) => join(directory, name))]
  const files = paths.map((path) => attempt(path, () => readCrontabFile(path, 'system')))
  return {
    found: files.flatMap(({ values }) => values),
    unreadable: [listed, ...files].flatMap(({ unreadable }) => unreadable),
  }
}

/** @throws an errno error */
export function readCrontabFile(path: string, form: CrontabForm): CronLine[] {
  return linesOf(fs.readFileSync(path, 'utf8'), { name: path, form })
}

/** Where a line would record that is tried in this shell shows what cron does not know. */
function linesOf(text: string, source: Omit<CrontabSource, 'environmentOf'>): CronLine[] {
  const inShell = parseCrontab(text, { ...source, environmentOf })
  return parseCrontab(text, { ...source, environmentOf: cronEnvironmentOf }).map((line, index) => {
    const baseInShell = inShell[index]?.wrapped?.base
    return baseInShell === undefined ? line : { ...line, baseInShell }
  })
}

/** Nothing where there is no such file. */
function attempt<T>(path: string, read: () => T[]): { values: T[]; unreadable: string[] } {
  try {
    return { values: read(), unreadable: [] }
  } catch (error) {
    const isNone = ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errnoOf(error) ?? '')
    return { values: [], unreadable: isNone ? [] : [`${path} cannot be read: ${messageOf(error)}`] }
  }
}
