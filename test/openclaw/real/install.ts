import { execa } from 'execa'
import fs from 'fs-extra'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

const OPENCLAW_VERSION = '2026.9.6'
const NODE_MAJOR = '24'

/** Packages whose install scripts must run: `node` fetches its binary in one. */
const ALLOWED_SCRIPTS = ['node', 'openclaw', 'koffi', 'protobufjs', '@google/genai']

export interface Installed {
  /** The Node that OpenClaw needs; the one that runs this may be too old for it. */
  readonly node: string
  readonly openclaw: string
  readonly version: string
  /** A PATH on which both come first. */
  readonly path: string
  /** Compiled JavaScript is kept here from one run to the next: a call of the CLI is short. */
  readonly compileCache: string
}

/** Installs OpenClaw outside the repository; what an earlier run installed is used again. */
export async function installOpenClaw(): Promise<Installed> {
  const directory = cacheDirectory()
  const path = [join(directory, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(delimiter)
  if (installedVersion(directory, 'node')?.split('.')[0] !== NODE_MAJOR) {
    prepare(directory)
    await npmInstall(directory, `node@${NODE_MAJOR}`, process.env['PATH'] ?? '')
  }
  // In a second step: a check in OpenClaw's preinstall refuses an older Node.
  if (installedVersion(directory, 'openclaw') !== OPENCLAW_VERSION) {
    await npmInstall(directory, `openclaw@${OPENCLAW_VERSION}`, path)
  }
  return {
    node: join(directory, 'node_modules/node/bin/node'),
    openclaw: join(directory, 'node_modules/openclaw/openclaw.mjs'),
    version: OPENCLAW_VERSION,
    path,
    compileCache: join(directory, 'compile-cache'),
  }
}

function cacheDirectory(): string {
  const own = process.env['CRONWRAP_OPENCLAW_DIR']
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return own ?? join(cache, 'cronwrap-openclaw-test')
}

function prepare(directory: string): void {
  const allowScripts = Object.fromEntries(ALLOWED_SCRIPTS.map((name) => [name, true]))
  fs.outputJsonSync(join(directory, 'package.json'), { private: true, allowScripts }, { spaces: 2 })
}

function installedVersion(directory: string, name: string): string | null {
  const file = join(directory, 'node_modules', name, 'package.json')
  if (!fs.existsSync(file)) return null
  return (fs.readJsonSync(file) as { version: string }).version
}

async function npmInstall(directory: string, what: string, path: string): Promise<void> {
  process.stdout.write(`installing ${what} in ${directory}\n`)
  await execa('npm', ['install', '--save-exact', '--no-fund', '--no-audit', '--loglevel', 'error', what], {
    cwd: directory,
    env: { PATH: path },
    timeout: 600_000,
  })
}
