import fs from 'fs-extra'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kill, processesOf } from '../../support/rig.ts'
import { removeLocks, startGateway, type Gateway } from './gateway.ts'
import { installOpenClaw } from './install.ts'
import { startModelServer } from './model-server.ts'
import { startReceiver, type Receiver } from './receiver.ts'

/** A real OpenClaw with a model and a receiver of ours, all in one directory and on loopback. */
export interface World extends AsyncDisposable {
  readonly directory: string
  readonly gateway: Gateway
  readonly receiver: Receiver
}

export async function createWorld(): Promise<World> {
  const installed = await installOpenClaw()
  const directory = fs.mkdtempSync(join(tmpdir(), 'cronwrap-openclaw-'))
  const parts: AsyncDisposable[] = [directoryPart(directory)]
  endOnSignal(parts)
  const add = async <T extends AsyncDisposable>(starting: Promise<T>): Promise<T> => {
    const part = await starting
    parts.unshift(part)
    return part
  }
  try {
    const model = await add(startModelServer())
    const receiver = await add(startReceiver())
    const gateway = await add(startGateway(installed, directory, model))
    return { directory, gateway, receiver, [Symbol.asyncDispose]: () => disposeAll(parts) }
  } catch (error) {
    await disposeAll(parts)
    throw error
  }
}

function directoryPart(directory: string): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      // Jobs, and a gateway that was not ready yet: each has the directory in its environment.
      for (const pid of processesOf(directory)) kill(pid, 'SIGKILL')
      removeLocks(directory)
      if (process.env['KEEP'] === '1') process.stdout.write(`kept: ${directory}\n`)
      else await fs.remove(directory)
    },
  }
}

/**
 * The gateway is in a process group of its own, where a Ctrl-C does not reach it. The listeners stay: one that
 * is gone when execa's is called makes that end this process at once.
 */
function endOnSignal(parts: AsyncDisposable[]): void {
  let ending: Promise<void> | null = null
  const end = (): void => {
    ending ??= disposeAll(parts).finally(() => process.exit(1))
  }
  process.on('SIGINT', end).on('SIGTERM', end)
}

/** Ends each part, the latest first; a second call finds nothing left to do. */
async function disposeAll(parts: AsyncDisposable[]): Promise<void> {
  for (const part of parts.splice(0)) await part[Symbol.asyncDispose]()
}
