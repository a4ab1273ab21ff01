import { findProgram } from '../platform/find-program.ts'
import type { Finding } from './finding.ts'

/** What cron gives a job, unless the crontab says otherwise. */
export const CRON_PATH = '/usr/bin:/bin'
const LEAST_NODE = [20, 19] as const

/** Whether cronwrap, and a Node that is new enough, are found where jobs run: under cron, and in the login shell of `sh -lc`. */
export async function checkEnvironment(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const { execa } = await import('execa')
  const ask = async (words: readonly string[], path: string | undefined): Promise<string> => {
    const options = { reject: false, extendEnv: false, stdin: 'ignore', timeout: 10_000 } as const
    const environment = { HOME: env['HOME'], ...(path === undefined ? {} : { PATH: path }) }
    return (await execa('/bin/sh', words, { ...options, env: environment })).stdout.trim()
  }
  const own = findProgram('cronwrap', env)
  const [underCron, inLoginShell, nodeVersion] = await Promise.all([
    ask(['-c', 'command -v cronwrap'], CRON_PATH),
    ask(['-lc', 'command -v cronwrap'], env['PATH']),
    ask(['-c', 'node --version'], CRON_PATH),
  ])
  return [
    ...(own !== null && underCron === '' ? [notFound('cron-path', 'under cron', `PATH=${CRON_PATH}`, own)] : []),
    ...(own !== null && inLoginShell === ''
      ? [notFound('login-path', 'in sh -lc', 'the PATH of a login shell', own)]
      : []),
    ...(isOld(nodeVersion) ? [oldNode(nodeVersion)] : []),
  ]
}

function notFound(id: string, where: string, path: string, own: string): Finding {
  return {
    id,
    severity: 'warning',
    job: null,
    seen: `cronwrap is not found ${where}, with ${path}`,
    means: 'jobs that name it without its path do not start there (exit code 127)',
    next: `write ${own}, or: sudo ln -s ${own} /usr/bin/cronwrap`,
  }
}

function oldNode(version: string): Finding {
  const seen = version === '' ? `node is not found with PATH=${CRON_PATH}` : `cron finds Node ${version}`
  const means = `cronwrap needs Node ${LEAST_NODE.join('.')} or later, and is started through env(1)`
  return {
    id: 'cron-node',
    severity: 'warning',
    job: null,
    seen,
    means,
    next: `set PATH in the crontab: PATH=${nodeDirectory()}:${CRON_PATH}`,
  }
}

function nodeDirectory(): string {
  return process.execPath.replace(/\/[^/]*$/, '')
}

/** None at all is as bad as an old one. */
function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  return major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])
}
