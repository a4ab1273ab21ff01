import * as fs from 'node:fs'
import { homedir } from 'node:os'
import { ownUserName } from '../platform/user-name.ts'
import { surroundings } from './wrapped-command.ts'

/**
 * What a command of this user finds that is tried in this shell. Of another user only the home directory is known.
 * @param user null is who runs this
 */
export function environmentOf(user: string | null): NodeJS.ProcessEnv {
  return user === null || user === ownUserName() ? surroundings() : { HOME: homeOf(user) }
}

/**
 * What cron gives a job of this user before the crontab adds to it, as far as it matters to cronwrap: the home
 * directory, and what is set for all of the machine, which PAM hands to cron. What a shell exports is not of it.
 * @param user null is who runs this
 */
export function cronEnvironmentOf(user: string | null, machine = '/etc/environment'): NodeJS.ProcessEnv {
  return { ...readEnvironmentFile(readText(machine)), HOME: homeOf(user) }
}

/** The simple lines of /etc/environment, `NAME=value`, as pam_env takes them. Pure. */
export function readEnvironmentFile(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/^[ \t]*(?:export[ \t]+)?(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [
    name,
    value.trim().replace(/^["']|["']$/g, ''),
  ])
  return Object.fromEntries(pairs) as Record<string, string>
}

/** A user that is not in the file, but in a directory of the network, mostly has its home there too. */
export function homeOf(user: string | null): string {
  if (user === null || user === ownUserName()) return homedir()
  const fields = readText('/etc/passwd')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === user)
  return fields?.[5] || `/home/${user}`
}

/** Nothing where there is no such file. */
function readText(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
