import * as fs from 'node:fs'
import { delimiter, join } from 'node:path'
import { errnoOf } from '../errors.ts'

/** Whether the command would be found and could be executed; null when it can. */
export function explainUnusable(command: string, env: NodeJS.ProcessEnv): 'not-found' | 'not-executable' | null {
  if (command.includes('/')) return usable(command)
  let seen: 'not-found' | 'not-executable' = 'not-found'
  for (const directory of searchPath(env)) {
    const verdict = usable(join(directory, command))
    if (verdict === null) return null
    if (verdict === 'not-executable') seen = verdict
  }
  return seen
}

function usable(path: string): 'not-found' | 'not-executable' | null {
  try {
    if (!fs.statSync(path).isFile()) return 'not-executable'
    fs.accessSync(path, fs.constants.X_OK)
    return null
  } catch (error) {
    return errnoOf(error) === 'EACCES' ? 'not-executable' : 'not-found'
  }
}

/** The path of a program, or null. */
export function findProgram(name: string, env: NodeJS.ProcessEnv): string | null {
  return (
    searchPath(env)
      .map((directory) => join(directory, name))
      .find((path) => usable(path) === null) ?? null
  )
}

function searchPath(env: NodeJS.ProcessEnv): string[] {
  return (env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin').split(delimiter).map((directory) => directory || '.')
}
