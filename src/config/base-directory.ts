import * as fs from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'

/** Where everything lies below one base directory. The names are a contract: people and scripts read these files. */
export interface Home {
  readonly base: string
  readonly logs: string
  readonly state: string
  readonly summary: string
  readonly alerts: string
  /** The journal's newest segment under its well-known name. */
  readonly journal: string
  readonly running: string
  readonly config: string
}

/**
 * The base directory: `--home`, else `CRONWRAP_HOME`, else the OpenClaw workspace if there is one,
 * else the XDG state directory. Nothing is created here.
 */
export function resolveHome(flag: string | undefined, env: NodeJS.ProcessEnv): Home {
  const chosen = flag ?? nonEmpty(env['CRONWRAP_HOME'])
  if (chosen !== undefined) return homeAt(absolute(expandTilde(chosen, env)))
  const user = userHome(env)
  const openclawState = nonEmpty(env['OPENCLAW_STATE_DIR'])
  const workspaces = [
    ...(openclawState === undefined ? [] : [join(expandTilde(openclawState, env), 'workspace')]),
    join(user, '.openclaw', 'workspace'),
  ]
  const workspace = workspaces.find((directory) => fs.existsSync(directory))
  const xdgState = nonEmpty(env['XDG_STATE_HOME']) ?? join(user, '.local', 'state')
  return homeAt(absolute(workspace ?? join(xdgState, 'cronwrap')))
}

export function homeAt(base: string): Home {
  const logs = join(base, 'logs')
  return {
    base,
    logs,
    state: join(base, 'state'),
    summary: join(logs, 'cron-summary.json'),
    alerts: join(logs, 'cron-alerts.json'),
    journal: join(logs, 'cron-journal.jsonl'),
    running: join(logs, '.running'),
    config: join(base, 'cronwrap.json'),
  }
}

// resolve() asks for the working directory, which throws once that has been deleted.
function absolute(path: string): string {
  return isAbsolute(path) ? path : resolve(path)
}

function expandTilde(path: string, env: NodeJS.ProcessEnv): string {
  return path === '~' || path.startsWith('~/') ? join(userHome(env), path.slice(1)) : path
}

function userHome(env: NodeJS.ProcessEnv): string {
  return nonEmpty(env['HOME']) ?? homedir()
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value
}
