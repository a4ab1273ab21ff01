import { cac, type CAC } from 'cac'
import { RUN_OPTIONS } from '../config/option-specs.ts'
import { HOME_FLAG, type Command, type CommandFlag } from './command.ts'

const WIDTH = 80

/** Help is drawn from what the commands say of themselves. @returns the exit code */
export function printHelp(commands: readonly Command[], topic: string | undefined): number {
  const command = commands.find(({ name }) => name === topic)
  const cli = command === undefined ? programHelp(commands) : commandHelp(command)
  // cac prints its help while it parses, through console.info.
  cli.parse(['node', 'cronwrap', ...(command === undefined ? [] : [command.name]), '--help'], { run: false })
  return 0
}

function programHelp(commands: readonly Command[]): CAC {
  const cli = cac('cronwrap')
  cli.usage('[run] [options] -- command args…\n  $ cronwrap <command> [options]')
  for (const { name, usage, description } of commands) cli.command(`${name} ${usage}`.trim(), description)
  cli.option('--job <id>', 'Record as this job (default: the script or program name)')
  cli.option('--home <dir>', HOME_FLAG.description)
  for (const [name, { placeholder, description }] of RUN_OPTIONS)
    cli.option(`--${name} ${placeholder ?? ''}`.trim(), description)
  cli.option('-v, --version', 'Print the version')
  cli.help((sections) => [
    ...sections
      .filter(({ title }) => title === undefined || !title.startsWith('For more info'))
      .map(({ title, body }) => ({ ...(title === undefined ? {} : { title }), body: wrap(withoutNoise(body)) })),
    { title: 'Settings', body: wrap(SETTINGS) },
    { title: 'Exit codes', body: EXIT_CODES },
    { title: 'Examples', body: PROGRAM_EXAMPLES },
  ])
  return cli
}

function commandHelp(command: Command): CAC {
  const cli = cac('cronwrap')
  const definition = cli.command(`${command.name} ${command.usage}`.trim(), command.description)
  for (const [name, flag] of [...command.flags, ['home', HOME_FLAG] as const])
    definition.option(flagText(name, flag), flag.description)
  cli.help((sections) => [
    { body: wrap(`  ${command.description}`).trimStart() },
    ...sections
      .filter(({ title }) => title !== undefined)
      .map(({ title, body }) => ({ ...(title === undefined ? {} : { title }), body: wrap(body) })),
    { title: 'Examples', body: command.examples.map((example) => `  $ ${example}`).join('\n') },
  ])
  return cli
}

function flagText(name: string, { short, placeholder }: CommandFlag): string {
  return `${short === undefined ? '' : `-${short}, `}--${name} ${placeholder ?? ''}`.trim()
}

/** cac says of a `--no-x` that it is on by default. */
function withoutNoise(body: string): string {
  if (body === 'cronwrap') return `cronwrap ${CRONWRAP_VERSION}: the flight recorder for scheduled jobs`
  return body.replaceAll(' (default: true)', '')
}

/** Breaks lines at 80 columns; what follows the last gap of a line is its description and stays in its column. */
export function wrap(text: string): string {
  return text.split('\n').flatMap(wrapLine).join('\n')
}

function wrapLine(text: string): string[] {
  const line = text.trimEnd()
  if (line.length <= WIDTH) return [line]
  const gap = /^(\s*\S.*?\s{2,})\S/.exec(line)?.[1]?.length ?? line.length - line.trimStart().length
  const indent = ' '.repeat(gap)
  const lines = [line.slice(0, gap)]
  for (const word of line.slice(gap).split(' ')) {
    const last = lines.at(-1) ?? ''
    if (last.trim() !== '' && last.length > gap && last.length + word.length + 1 > WIDTH) lines.push(indent + word)
    else lines[lines.length - 1] = last.length > gap ? `${last} ${word}` : last + word
  }
  return lines
}

const SETTINGS =
  '  Durations are written as 30s, 5m or 1h30m, sizes as 512KiB or 10MiB. Each option but --home can also be set as CRONWRAP_<NAME> in the environment (CRONWRAP_KILL_AFTER=10s), and each but --job in cronwrap.json in the base directory: {"defaults": {"timeout": "1h"}, "jobs": {"backup": {"kill_after": "10s"}}}. The flag counts first, then the environment, the job, the defaults.'

const EXIT_CODES = `  The job's own code; 128+n when signal n ended it; 124 after --timeout;
  126 not executable; 127 not found; 125 cronwrap was misused; 75 skipped by
  --overlap skip; 77 a job may not write state. Trouble with recording never
  changes the code.`

const PROGRAM_EXAMPLES = `  $ cronwrap -- python3 task.py
  $ cronwrap --job backup --timeout 1h --retries 2 -- ./backup.sh /srv
  $ cronwrap status`
