import type { Home } from '../config/base-directory.ts'
import { messageOf } from '../errors.ts'
import type { RunFinished } from './event.ts'
import { appendRunEntry } from './execution-log.ts'
import { publish, type PublishOptions } from './publish.ts'

export interface Closing extends PublishOptions {
  /** Where the run's output is; null when there is none. */
  readonly spool: { readonly directory: string; readonly maxBytes: number } | null
}

/**
 * Records the end of a run: the journal, the execution log, the views. Each is tried whatever
 * became of the others, because a record that is half there says more than none.
 * @returns what could not be done, one sentence each; empty when all is recorded
 */
export async function closeRun(home: Home, event: RunFinished, closing: Closing): Promise<string[]> {
  const problems: string[] = []
  const published = publish(home, event, closing).then(
    (result) => {
      if (result.kind === 'failed') problems.push(`the summary could not be updated: ${messageOf(result.error)}`)
    },
    (error: unknown) => problems.push(`the run is not in the journal: ${messageOf(error)}`),
  )
  try {
    await appendRunEntry(home, event, closing.spool)
  } catch (error) {
    problems.push(`the output is not in the log: ${messageOf(error)}`)
  }
  await published
  return problems
}
