import { basename } from 'node:path'
import { CronwrapError } from '../errors.ts'

/** Tried first: compiling the Unicode classes costs a run a millisecond that most ids do not need. */
const PLAIN_ID = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/
const MAX_BYTES = 128

/** Programs whose first file argument says more about a job than they do; a version may follow the name. */
const INTERPRETERS = new Set(
  'python pypy node nodejs bun deno tsx ts-node sh bash dash zsh ksh fish perl ruby php lua Rscript julia'.split(' '),
)
const SCRIPT = /\.(?:py|pyw|js|mjs|cjs|ts|mts|cts|sh|bash|zsh|fish|pl|rb|php|lua|R|jl)$/

/**
 * Whether the text can name a job or a state: letters and digits of any script, `.`, `_`, `-`,
 * no leading dot, at most 128 bytes. Such a name cannot leave the directory it is used in.
 */
export function isId(text: string): boolean {
  return (
    (PLAIN_ID.test(text) || /^[\p{L}\p{M}\p{N}_-][\p{L}\p{M}\p{N}._-]*$/u.test(text)) &&
    Buffer.byteLength(text) <= MAX_BYTES
  )
}

/** @throws CronwrapError `BAD_ID` */
export function parseId(text: string, what: 'job' | 'state' = 'job'): string {
  if (isId(text)) return text
  throw new CronwrapError('BAD_ID', `"${printable(text)}" cannot name a ${what}`, {
    hint: 'use letters, digits, ".", "_" and "-", no leading dot, at most 128 bytes',
  })
}

/**
 * The id of a job that was given none: the script's base name (`python3 task.py` is `task`), the
 * module's (`python3 -m pkg.mod` is `pkg.mod`), else the command's. A name that is no id is made one,
 * because a job must not fail to run for its spelling.
 */
export function deriveJobId(command: readonly string[]): string {
  const program = basename(command[0] ?? '')
  const script = INTERPRETERS.has(withoutVersion(program)) ? scriptOf(command.slice(1)) : undefined
  const name = basename(script ?? program).replace(SCRIPT, '')
  if (isId(name)) return name
  const cleaned = name.replace(/[^\p{L}\p{M}\p{N}._-]+/gu, '-').replace(/^\.+/, '')
  const short = Array.from(cleaned)
    .slice(0, MAX_BYTES / 4)
    .join('')
  return isId(short) ? short : 'job'
}

/** `python3.11` is a python. */
function withoutVersion(program: string): string {
  let end = program.length
  while (end > 0 && '0123456789.'.includes(program[end - 1] ?? '')) end -= 1
  return program.slice(0, end)
}

function scriptOf(args: readonly string[]): string | undefined {
  const moduleFlag = args.indexOf('-m')
  if (moduleFlag !== -1 && args.slice(0, moduleFlag).every((arg) => arg.startsWith('-'))) return args[moduleFlag + 1]
  const inline = args.findIndex((arg) => /^-[a-z]*[ce]$/.test(arg))
  const files = args.slice(0, inline === -1 ? undefined : inline).filter((arg) => !arg.startsWith('-'))
  return files.find((arg) => SCRIPT.test(arg)) ?? (inline === -1 ? files[0] : undefined)
}

function printable(text: string): string {
  return JSON.stringify(text).slice(1, -1).slice(0, 80)
}
