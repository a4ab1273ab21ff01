import { execa } from 'execa'
import fs from 'fs-extra'
import { createHash } from 'node:crypto'
import { createServer, type AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { BIN } from '../../support/rig.ts'
import type { Installed } from './install.ts'
import { MODEL_ID, type ModelServer } from './model-server.ts'

const TOKEN = 'cronwrap-test-token'
const START_LIMIT_MS = 120_000
const STOP_LIMIT_MS = 15_000

export interface Called {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

export interface Gateway extends AsyncDisposable {
  /** What a shell of the user who runs this OpenClaw would have. */
  readonly env: NodeJS.ProcessEnv
  /** Calls the `openclaw` CLI. */
  readonly call: (words: readonly string[]) => Promise<Called>
  /** Calls it and reads the JSON that it prints; anything else is an error. */
  readonly json: (words: readonly string[]) => Promise<unknown>
}

/** Starts an OpenClaw of our own in the directory: own home, state, configuration, port and model. */
export async function startGateway(installed: Installed, directory: string, model: ModelServer): Promise<Gateway> {
  const port = await freePort()
  const env = environment(installed, directory, port)
  fs.ensureDirSync(join(directory, 'tmp'))
  fs.ensureSymlinkSync(BIN, join(directory, 'bin/cronwrap'))
  fs.outputJsonSync(join(directory, 'openclaw.json'), configuration(directory, port, model), { spaces: 2 })
  const child = spawnGateway(installed, directory, env)
  const call = caller(installed, directory, env)
  const gateway: Gateway = {
    env,
    call,
    json: async (words) => parse(words, await call(words)),
    [Symbol.asyncDispose]: () => stop(child),
  }
  await ready(gateway, child, directory).catch(async (error: unknown) => {
    await stop(child)
    throw error
  })
  return gateway
}

type Child = ReturnType<typeof spawnGateway>

/** In a process group of its own: a Ctrl-C is for us, and we end it. */
function spawnGateway(installed: Installed, directory: string, env: NodeJS.ProcessEnv) {
  const log = { file: join(directory, 'gateway.log') }
  return execa(installed.node, [installed.openclaw, 'gateway', 'run'], {
    cwd: directory,
    env,
    extendEnv: false,
    stdin: 'ignore',
    stdout: log,
    stderr: log,
    reject: false,
    detached: true,
  })
}

function environment(installed: Installed, directory: string, port: number): NodeJS.ProcessEnv {
  return {
    PATH: [join(directory, 'bin'), installed.path].join(delimiter),
    HOME: join(directory, 'home'),
    SHELL: '/bin/bash',
    TMPDIR: join(directory, 'tmp'),
    NODE_COMPILE_CACHE: installed.compileCache,
    OPENCLAW_STATE_DIR: join(directory, 'state'),
    OPENCLAW_CONFIG_PATH: join(directory, 'openclaw.json'),
    OPENCLAW_GATEWAY_PORT: String(port),
    OPENCLAW_SKIP_CHANNELS: '1',
    CRONWRAP_HOME: join(directory, 'cronwrap'),
  }
}

function configuration(directory: string, port: number, model: ModelServer): object {
  const scripted = { id: MODEL_ID, name: 'Scripted', reasoning: false, input: ['text'] }
  const limits = { cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }, contextWindow: 200_000, maxTokens: 8192 }
  const provider = { baseUrl: model.baseUrl, apiKey: 'none', api: 'openai-completions' }
  return {
    gateway: { mode: 'local', port, bind: 'loopback', auth: { mode: 'token', token: TOKEN } },
    logging: { file: join(directory, 'openclaw.log') },
    agents: {
      defaults: {
        workspace: join(directory, 'workspace'),
        model: { primary: `scripted/${MODEL_ID}` },
        heartbeat: { every: '0m' },
        skipBootstrap: true,
      },
    },
    models: {
      mode: 'replace',
      catalogRefresh: { enabled: false },
      providers: { scripted: { ...provider, models: [{ ...scripted, ...limits }] } },
    },
    tools: { exec: { host: 'gateway', mode: 'full' } },
    cron: { enabled: true, webhookSsrfPolicy: { allowedHostnames: ['127.0.0.1'] } },
    update: { checkOnStart: false },
    discovery: { mdns: { mode: 'off' } },
  }
}

function caller(installed: Installed, directory: string, env: NodeJS.ProcessEnv): Gateway['call'] {
  return async (words) => {
    const { exitCode, stdout, stderr } = await execa(installed.node, [installed.openclaw, ...words], {
      cwd: directory,
      env,
      extendEnv: false,
      stdin: 'ignore',
      reject: false,
      timeout: 180_000,
    })
    return { code: exitCode, stdout, stderr }
  }
}

function parse(words: readonly string[], { code, stdout, stderr }: Called): unknown {
  try {
    return JSON.parse(stdout) as unknown
  } catch (cause) {
    const called = `openclaw ${words.slice(0, 2).join(' ')}`
    throw new Error(`${called}: exit code ${code}, no JSON: ${stdout}${stderr}`, { cause })
  }
}

async function ready(gateway: Gateway, child: Child, directory: string): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS
  let last = ''
  while (Date.now() < deadline) {
    if (child.exitCode !== null) break
    const { code, stdout, stderr } = await gateway.call(['cron', 'status', '--json'])
    if (code === 0) return
    last = stdout + stderr
  }
  const log = fs.readFileSync(join(directory, 'gateway.log'), 'utf8')
  throw new Error(`the gateway did not start: ${last}\n${log.slice(-4000)}`)
}

/** Asks it to end, then makes it. */
async function stop(child: Child): Promise<void> {
  child.kill('SIGTERM')
  const forced = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
  await child
  clearTimeout(forced)
}

/** OpenClaw keeps locks in /tmp, wherever TMPDIR points, under names made from the paths of its databases. */
export function removeLocks(directory: string): void {
  const locks = `/tmp/openclaw-state-locks-${process.getuid?.() ?? ''}`
  if (!fs.existsSync(locks)) return
  const state = join(fs.realpathSync(directory), 'state')
  const databases = ['state/openclaw.sqlite', 'agents/main/agent/openclaw-agent.sqlite']
  for (const database of databases) {
    const hash = createHash('sha256').update(join(state, database)).digest('hex').slice(0, 8)
    for (const name of fs.readdirSync(locks)) if (name.includes(`.${hash}.`)) fs.removeSync(join(locks, name))
  }
  if (fs.readdirSync(locks).length === 0) fs.rmdirSync(locks)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
