import type { RunOptions } from '../config/run-options.ts'
import type { SpooledStream } from '../record/spooled-stream.ts'
import { startChild, type ChildRequest } from './child.ts'
import { Deadline } from './deadline.ts'
import type { AttemptExit } from './outcome.ts'
import { OutputStream } from './output-stream.ts'
import type { PassThrough } from './pass-through.ts'
import { ResourceWatch, type ResourceUse } from './resource-watch.ts'
import type { SignalRelay } from './signals.ts'
import { monotonicMs } from '../platform/clock.ts'

const HURRIED_DRAIN_MS = 50

/** Where one of the job's streams goes: into the record, and on to our own stream. */
export interface Outlet {
  readonly spooled: SpooledStream | null
  readonly passThrough: PassThrough | null
}

export interface AttemptRequest {
  readonly child: ChildRequest
  readonly options: RunOptions
  readonly stdout: Outlet
  readonly stderr: Outlet
  readonly relay: SignalRelay
  /** This process has no other children. */
  readonly ownsChildren: boolean
  /** `NAME=value` in the environment of the job and all it starts. */
  readonly mark: string
  /** Called with the pid of each job that was started. */
  readonly onStart: (pid: number) => void
}

export interface AttemptResult {
  readonly exit: AttemptExit
  readonly timedOut: boolean
  /** The first signal that asked us to end before the job did. */
  readonly interruptedBy: NodeJS.Signals | null
  readonly durationMs: number
  readonly outputHeld: boolean
  readonly use: ResourceUse
}

/** Runs the command once and stays until its end, and the end of its output, is known. */
export async function runAttempt(request: AttemptRequest): Promise<AttemptResult> {
  const { options, relay } = request
  const startedAt = monotonicMs()
  const resources = new ResourceWatch(request.ownsChildren)
  const start = await startChild(request.child)
  if (start.kind === 'failed') {
    const { interruptedBy } = relay
    const use = resources.stop()
    return { exit: start.exit, timedOut: false, interruptedBy, durationMs: since(startedAt), outputHeld: false, use }
  }
  const { child } = start
  request.onStart(child.pid)
  resources.watch(child.pid)
  relay.attach(child.pid)
  const deadline = options.timeoutMs ? new Deadline({ ...limitsOf(options), pid: child.pid, mark: request.mark }) : null
  const streams = [connect(child.stdout, request.stdout), connect(child.stderr, request.stderr)]

  const exit = await child.exit
  const use = resources.stop()
  relay.detach()
  const { interruptedBy } = relay
  await relay.chase(request.mark)
  await deadline?.settle()
  const durationMs = since(startedAt)
  for (const stream of streams) stream.drain(options.drainMs)
  // After a signal the supervisor's KILL may be near: what still holds the output is not waited for.
  void relay.interrupted.then(() =>
    streams.forEach((stream) => stream.drain(Math.min(options.drainMs, HURRIED_DRAIN_MS))),
  )
  const ends = await Promise.all(streams.map((stream) => stream.ended))
  request.stdout.spooled?.close()
  request.stderr.spooled?.close()
  const outputHeld = ends.includes('held')
  if (!outputHeld) child.recyclePipes()
  return { exit, timedOut: deadline?.timedOut ?? false, interruptedBy, durationMs, outputHeld, use }
}

function limitsOf({ timeoutMs, killAfterMs }: RunOptions): { timeoutMs: number; killAfterMs: number } {
  return { timeoutMs: timeoutMs ?? 0, killAfterMs }
}

function connect(input: ConstructorParameters<typeof OutputStream>[0], outlet: Outlet): OutputStream {
  return new OutputStream(input, (chunk, source) => {
    // The record first: what has been passed on must not be missing from it.
    outlet.spooled?.write(chunk)
    return outlet.passThrough?.write(chunk, source) ?? false
  })
}

function since(startedAt: number): number {
  return Math.round(monotonicMs() - startedAt)
}
