import type { Home } from '../config/base-directory.ts'
import type { FlagSpec, Words } from '../config/argv.ts'

export interface CommandFlag extends FlagSpec {
  /** What stands after the flag in the help. */
  readonly placeholder?: string
  readonly description: string
}

export interface CommandInput extends Words {
  readonly home: Home
  readonly now: Date
}

/** One subcommand; what it says of itself is its help text. */
export interface Command {
  readonly name: string
  /** After the name: `<job> <message-id> [status]`. */
  readonly usage: string
  readonly description: string
  readonly flags: ReadonlyMap<string, CommandFlag>
  readonly examples: readonly string[]
  /** Least and most words after the name. */
  readonly positionals: readonly [number, number]
  /** Tells of an error in its own way. @returns the exit code */
  readonly fail?: (error: unknown, options: { readonly json: boolean }) => number
  /** It may start programs that tell somebody, and must not leave them behind when it is told to end. */
  readonly notifies?: true
  /** @returns the exit code */
  readonly run: (input: CommandInput) => Promise<number>
}

export const JSON_FLAG: CommandFlag = { takesValue: false, description: 'Print JSON' }
export const HOME_FLAG: CommandFlag = {
  takesValue: true,
  placeholder: '<dir>',
  description: 'The base directory (or CRONWRAP_HOME)',
}
