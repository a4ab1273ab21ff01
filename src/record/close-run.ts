import type { Home } from '../config/base-directory.ts'
import { messageOf } from '../errors.ts'
import type { RunFinished } from './event.ts'
import { appendRunEntry } from './execution-log.ts'
import type { LoggedSpool } from './logged-output.ts'
import { publish, type PublishOptions } from './publish.ts'

export interface Closing extends PublishOptions {
  /** Where the run's output is; null when there is none. */
  readonly spool: LoggedSpool | null
}

/**
 * Records the end of a run: the journal, the execution log, the views. Each is tried whatever
 * became of the others, because a record that is half there says more than none.
 * @returns what could not be done, one sentence each; empty when all is recorded
 */
export async function closeRun(home: Home, event: RunFinished, closing: Closing): Promise<string[]> {
  const [recorded, logged] = await Promise.allSettled([
    publish(home, event, closing),
    appendRunEntry(home, event, closing.spool),
  ])
  const problems: string[] = []
  if (recorded.status === 'rejected') problems.push(`the run is not in the journal: ${messageOf(recorded.reason)}`)
  else if (recorded.value.kind === 'failed') {
    problems.push(`the summary could not be updated: ${messageOf(recorded.value.error)}`)
  }
  if (logged.status === 'rejected') problems.push(`the output is not in the log: ${messageOf(logged.reason)}`)
  return problems
}
