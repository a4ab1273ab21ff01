import { execa, type Options, type Result, type ResultPromise } from 'execa'
import fs from 'fs-extra'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { homeAt, type Home } from '../../src/config/base-directory.ts'
import type { Alert } from '../../src/record/alerts.ts'
import { parseEvent, type JobEvent, type RunFinished } from '../../src/record/event.ts'
import type { SummaryEntry } from '../../src/record/summary-entry.ts'

export const BIN: string = join(import.meta.dirname, '../../bin/cronwrap.js')

const RAW = {
  reject: false,
  encoding: 'buffer',
  stripFinalNewline: false,
  extendEnv: false,
  maxBuffer: 2 ** 30,
} as const

export type RawResult = Result<typeof RAW>
export type RawProcess = ResultPromise<typeof RAW>

/** A base directory of its own, and the built program in it; everything is gone after the test. */
export class Rig implements AsyncDisposable {
  readonly directory: string
  readonly home: Home
  readonly env: NodeJS.ProcessEnv
  readonly #started: RawProcess[] = []

  constructor() {
    this.directory = fs.mkdtempSync(join(tmpdir(), 'cronwrap-test-'))
    this.home = homeAt(join(this.directory, 'base'))
    this.env = {
      PATH: process.env['PATH'],
      HOME: this.directory,
      TMPDIR: this.directory,
      CRONWRAP_HOME: this.home.base,
    }
  }

  /** Starts the built program. Its stdin is empty unless the options say otherwise. */
  start(words: readonly string[], options: Options = {}): RawProcess {
    return this.spawn(process.execPath, [BIN, ...words], options)
  }

  /** Starts any program in the rig's environment. */
  spawn(program: string, words: readonly string[], options: Options = {}): RawProcess {
    const child = execa(program, words, {
      stdin: 'ignore',
      cwd: this.directory,
      env: this.env,
      ...options,
      ...RAW,
    }) as RawProcess
    this.#started.push(child)
    return child
  }

  async run(words: readonly string[], options: Options = {}): Promise<Finished> {
    return finished(await this.start(words, options))
  }

  async runWith(env: NodeJS.ProcessEnv, words: readonly string[]): Promise<Finished> {
    return this.run(words, { env: { ...this.env, ...env } })
  }

  /** Runs a shell script in which `cronwrap` is the built program. */
  async shell(script: string, options: Options = {}): Promise<Finished> {
    const definition = `cronwrap() { "${process.execPath}" "${BIN}" "$@"; }\n`
    return finished(await this.spawn('bash', ['-c', definition + script], options))
  }

  write(name: string, content: string | Uint8Array, mode = 0o755): string {
    const path = join(this.directory, name)
    fs.outputFileSync(path, content, { mode })
    return path
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  summary(): Record<string, SummaryEntry> {
    return fs.readJsonSync(this.home.summary) as Record<string, SummaryEntry>
  }

  alerts(): Alert[] {
    return fs.readJsonSync(this.home.alerts) as Alert[]
  }

  events(): JobEvent[] {
    if (!fs.existsSync(this.home.journal)) return []
    return fs
      .readFileSync(this.home.journal, 'utf8')
      .split('\n')
      .flatMap((line) => parseEvent(line) ?? [])
  }

  runs(): RunFinished[] {
    return this.events().filter((event) => event.type === 'run.finished')
  }

  log(job: string): string {
    return fs.readFileSync(join(this.home.logs, `${job}.log`), 'latin1')
  }

  /** Ids of runs that are, or look, in progress. */
  running(): string[] {
    if (!fs.existsSync(this.home.running)) return []
    return fs.readdirSync(this.home.running).filter((name) => !name.startsWith('.'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#started) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    }
    await Promise.allSettled(this.#started)
    for (const pid of processesOf(this.directory)) kill(pid, 'SIGKILL')
    fs.removeSync(this.directory)
  }
}

export function createRig(): Rig {
  return new Rig()
}

export interface Finished {
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly stdout: string
  readonly stderr: string
  readonly stdoutBytes: Buffer
  readonly stderrBytes: Buffer
}

/** Texts are Latin-1, so that each byte is one character and none is lost. */
export function finished(result: RawResult): Finished {
  const bytes = (output: unknown): Buffer => Buffer.from((output as Uint8Array | undefined) ?? [])
  const [stdoutBytes, stderrBytes] = [bytes(result.stdout), bytes(result.stderr)]
  return {
    code: result.exitCode,
    signal: result.signal,
    stdoutBytes,
    stderrBytes,
    stdout: stdoutBytes.toString('latin1'),
    stderr: stderrBytes.toString('latin1'),
  }
}

/** Waits for a fact; fails with its name when it does not come. */
export async function until<T>(what: string, look: () => T | null | undefined | false, limitMs = 20_000): Promise<T> {
  const deadline = Date.now() + limitMs
  for (;;) {
    const seen = attempt(look)
    if (seen !== null && seen !== undefined && seen !== false) return seen
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function attempt<T>(look: () => T): T | null {
  try {
    return look()
  } catch {
    return null // Not there yet.
  }
}

/** Living processes whose environment mentions the text, e.g. a rig's directory. */
export function processesOf(text: string): number[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      const state = attempt(() => fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0])
      const environment = attempt(() => fs.readFileSync(`/proc/${pid}/environ`, 'latin1'))
      return state !== null && state !== 'Z' && (environment?.includes(text) ?? false)
    })
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  attempt(() => process.kill(pid, signal))
}
