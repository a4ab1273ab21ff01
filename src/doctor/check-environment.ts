import { basename } from 'node:path'
import { findProgram } from '../platform/find-program.ts'
import type { OpenclawJob } from '../openclaw/openclaw-job.ts'
import { shellLine } from '../invocation/shell-words.ts'
import { starterOf, type Crontab } from './check-crontab.ts'
import type { Finding } from './finding.ts'

const LEAST_NODE = [20, 19] as const

/**
 * Whether cronwrap, and a Node that is new enough, are found where jobs of this machine run them: in the login shell of an
 * OpenClaw job, and under cron. Where no job depends on it, nothing is wrong.
 */
export async function checkEnvironment(
  crontab: Crontab,
  jobs: readonly OpenclawJob[],
  env: NodeJS.ProcessEnv,
): Promise<Finding[]> {
  const loginJob = jobs.find(({ argv }) => /^cronwrap\s/.test(shellLine(argv) ?? '') && /-[a-z]*l/.test(argv.join(' ')))
  const paths = [
    ...new Set(
      crontab.lines.filter(({ wrapped }) => basename(starterOf(wrapped)) === 'cronwrap').map(({ path }) => path),
    ),
  ]
  const versions = await Promise.all(
    paths.map(async (path) => ({ path, version: await ask(['-c', 'node --version'], path, env) })),
  )
  const inLoginShell = loginJob === undefined ? 'unneeded' : await ask(['-lc', 'command -v cronwrap'], env['PATH'], env)
  return [
    ...(inLoginShell === '' && loginJob !== undefined ? [notInLoginShell(loginJob, env)] : []),
    ...versions.filter(({ version }) => isOld(version)).map(oldNode),
  ]
}

async function ask(words: readonly string[], path: string | undefined, env: NodeJS.ProcessEnv): Promise<string> {
  const { execa } = await import('execa')
  const environment = { HOME: env['HOME'], ...(path === undefined ? {} : { PATH: path }) }
  const options = { reject: false, extendEnv: false, stdin: 'ignore', timeout: 10_000, env: environment } as const
  return (await execa('/bin/sh', words, options)).stdout.trim()
}

function notInLoginShell({ name }: OpenclawJob, env: NodeJS.ProcessEnv): Finding {
  return {
    id: 'login-path',
    severity: 'error',
    job: null,
    seen: `OpenClaw's job "${name}" runs cronwrap in a login shell, which does not find it`,
    means: 'a login shell resets PATH, whatever the job sets: it ends with 127',
    next: `name it with its full path: ${findProgram('cronwrap', env) ?? 'install cronwrap first'}`,
  }
}

function oldNode({ path, version }: { readonly path: string; readonly version: string }): Finding {
  const seen = version === '' ? `cron finds no node with PATH=${path}` : `cron finds Node ${version} with PATH=${path}`
  const means = `cronwrap needs Node ${LEAST_NODE.join('.')} or later, and is started through env(1)`
  const directory = process.execPath.replace(/\/[^/]*$/, '')
  return { id: 'cron-node', severity: 'error', job: null, seen, means, next: `crontab -e: PATH=${directory}:${path}` }
}

/** None at all is as bad as an old one. */
function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  return major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])
}
