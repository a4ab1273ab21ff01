import * as fs from 'node:fs'
import { userInfo } from 'node:os'
import { surroundings } from '../openclaw/wrapped-command.ts'

/**
 * What a job of this user finds in its environment before its scheduler adds to it. Ours, for our own
 * jobs: what is set there may be set for all of the machine. Of another user only the home directory is known.
 * @param user null is who runs this
 */
export function environmentOf(user: string | null): NodeJS.ProcessEnv {
  return user === null || user === ownName() ? surroundings() : { HOME: homeOf(user) }
}

function ownName(): string | null {
  try {
    return userInfo().username
  } catch {
    return null // A container's user need not have a name.
  }
}

/** A user that is not in the file, but in a directory of the network, mostly has its home there too. */
function homeOf(user: string): string {
  const fields = readPasswd()
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === user)
  return fields?.[5] || `/home/${user}`
}

function readPasswd(): string {
  try {
    return fs.readFileSync('/etc/passwd', 'utf8')
  } catch {
    return ''
  }
}
