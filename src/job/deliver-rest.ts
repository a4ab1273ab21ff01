import type { RunFinished } from '../record/event.ts'
import type { JobSpec } from './job-spec.ts'
import type { PassThrough } from './pass-through.ts'
import type { RunRecord } from './run-record.ts'

/** Where the job's output passes through to. */
export interface JobOutput {
  readonly stdout: PassThrough
  readonly stderr: PassThrough
}

/** Resolves when the readers have taken everything: what was held back until we knew that the run failed, too. */
export async function deliverRest(
  record: RunRecord,
  event: RunFinished,
  spec: JobSpec,
  output: JobOutput,
): Promise<void> {
  if (spec.options.tee === 'on-failure' && event.status === 'error') await replay(record, event.attempts, output)
  await Promise.all([output.stdout.flush(), output.stderr.flush()])
}

async function replay(record: RunRecord, attempts: number, output: JobOutput): Promise<void> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    for (const name of ['stdout', 'stderr'] as const) {
      for (const chunk of record.replay(attempt, name)) {
        output[name].write(chunk, UNSTOPPABLE)
        await output[name].flush()
      }
    }
  }
}

const UNSTOPPABLE = { pause: () => undefined, resume: () => undefined }
