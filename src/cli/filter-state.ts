import { CronwrapError } from '../errors.ts'
import type { State } from '../state/state-value.ts'

/**
 * Gives the state to a command on stdin and takes what it prints for the new one; `null` stands for none.
 * @throws CronwrapError `BAD_VALUE` when it fails, or prints nothing or no JSON object
 */
export async function filterState(filter: readonly string[], state: State | null): Promise<State> {
  const { execa } = await import('execa')
  const [program = '', ...words] = filter
  const result = await execa(program, words, {
    input: JSON.stringify(state),
    stderr: 'inherit',
    reject: false,
    maxBuffer: 128 * 1024 * 1024,
  })
  const left = { hint: 'the state was left alone' }
  if (result.failed) throw new CronwrapError('BAD_VALUE', `the filter failed: ${result.shortMessage ?? ''}`, left)
  if (result.stdout.trim() === '') throw new CronwrapError('BAD_VALUE', 'the filter printed nothing', left)
  try {
    return JSON.parse(result.stdout) as State
  } catch (error) {
    throw new CronwrapError('BAD_VALUE', 'the filter printed no JSON', { ...left, cause: error })
  }
}
