import * as fs from 'node:fs'
import { resolveRunOptions } from '../../config/resolve-run-options.ts'
import { wholeNumber, flagValue } from '../../config/option-value.ts'
import { CronwrapError, messageOf } from '../../errors.ts'
import { recordRun } from '../../job/record-run.ts'
import type { RunStatus } from '../../record/event.ts'
import { JSON_FLAG, type Command } from '../command.ts'
import { followUpOutsideRuns } from '../follow-up.ts'
import { printJson } from '../output.ts'

const PIECE_BYTES = 1024 * 1024

/** Records a run that something else executed; prints nothing unless asked, like the run itself. */
export const recordCommand: Command = {
  name: 'record',
  usage: '<job>',
  description: 'Record a run that something else executed',
  flags: new Map([
    ['status', { takesValue: true, placeholder: '<status>', description: 'success or error' }],
    ['duration-ms', { takesValue: true, placeholder: '<ms>', description: 'How long it took' }],
    ['exit-code', { takesValue: true, placeholder: '<code>', description: 'Its exit code (default: 0 or 1)' }],
    ['stdout-file', { takesValue: true, placeholder: '<file>', description: 'What it printed on stdout' }],
    ['stderr-file', { takesValue: true, placeholder: '<file>', description: 'What it printed on stderr' }],
    ['command', { takesValue: true, placeholder: '<text>', description: 'What was executed' }],
    ['error', { takesValue: true, placeholder: '<text>', description: 'The error (default: the last line of stderr)' }],
    ['json', { ...JSON_FLAG, description: 'Print what was recorded' }],
  ]),
  examples: [
    'cronwrap record backup --status success --duration-ms 8120',
    'cronwrap record backup --status error --duration-ms 95 --stderr-file err.txt',
  ],
  positionals: [1, 1],
  notifies: true,
  async run({ home, flags, positionals: [job = ''] }) {
    const [exitCode, command, error] = [flags.get('exit-code'), flags.get('command'), flags.get('error')]
    const { options, warnings } = resolveRunOptions(new Map([['job', job]]), [], process.env, home)
    for (const warning of warnings) process.stderr.write(`cronwrap: ${warning}\n`)
    const result = await recordRun({
      ...options,
      home: home.base,
      job,
      status: parseStatus(required(flags, 'status')),
      durationMs: flagValue('duration-ms', required(flags, 'duration-ms'), wholeNumber(0, Number.MAX_SAFE_INTEGER)),
      stdout: readFile(flags.get('stdout-file')),
      stderr: readFile(flags.get('stderr-file')),
      ...(exitCode === undefined ? {} : { exitCode: flagValue('exit-code', exitCode, wholeNumber(0, 255)) }),
      ...(command === undefined ? {} : { command: [command] }),
      ...(error === undefined ? {} : { error }),
    })
    await followUpOutsideRuns(home)
    if (flags.get('json') === 'true') printJson({ job, run_id: result.runId, recorded: result.kind === 'recorded' })
    return 0
  },
}

function required(flags: ReadonlyMap<string, string>, name: string): string {
  const value = flags.get(name)
  if (value !== undefined) return value
  throw new CronwrapError('USAGE', `--${name} is missing`, { hint: 'see cronwrap record --help' })
}

function parseStatus(text: string): RunStatus {
  if (text === 'success' || text === 'error') return text
  throw new CronwrapError('BAD_VALUE', `--status "${text}" is neither success nor error`)
}

function readFile(path: string | undefined): Iterable<Buffer> {
  if (path === undefined) return []
  let fd: number
  try {
    fd = fs.openSync(path, 'r')
  } catch (error) {
    throw new CronwrapError('CANNOT_READ', `${path} cannot be read: ${messageOf(error)}`, { cause: error })
  }
  return pieces(fd)
}

function* pieces(fd: number): Generator<Buffer> {
  try {
    for (;;) {
      const buffer = Buffer.alloc(PIECE_BYTES)
      const length = fs.readSync(fd, buffer)
      if (length === 0) return
      yield buffer.subarray(0, length)
    }
  } finally {
    fs.closeSync(fd)
  }
}
