import fs from 'fs-extra'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readNotifyConfig } from '../../src/notify/notify-config.ts'
import { BIN, createRig, type Rig } from '../support/rig.ts'

const ROOT = join(import.meta.dirname, '../..')
const README = fs.readFileSync(join(ROOT, 'README.md'), 'utf8')

function blocks(language: string): string[] {
  return [...README.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].flatMap(([, name, body]) =>
    name === language ? (body ?? '') : [],
  )
}

/** `cronwrap` on the PATH, the examples in the working directory, the default base directory. */
function readersRig(): Rig {
  const rig = createRig()
  rig.write('bin/cronwrap', `#!/bin/sh\nexec "${process.execPath}" "${BIN}" "$@"\n`)
  fs.copySync(join(ROOT, 'examples'), rig.directory)
  delete rig.env['CRONWRAP_HOME']
  rig.env['PATH'] = `${rig.path('bin')}:${rig.env['PATH']}`
  return rig
}

/** What differs from run to run. */
function normalized(text: string, rig: Rig): string {
  return text
    .replaceAll(rig.directory, '~')
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([+-]\d\d:\d\d)?/g, 'TIME')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'RUN')
    .replaceAll(/\b(\d+(\.\d+)? ?(ms|s|m))+\b( ago)?|just now/g, 'N')
    .replaceAll(/(\d+(\.\d+)?[KMG]iB|\?) of memory/g, 'SIZE of memory')
    .replaceAll(/(exit 0 +N +N +)(\d+(\.\d+)?[KMG]iB|\?)/g, '$1SIZE')
    .replaceAll('N (N)', 'N')
    .replaceAll(/\d\d:\d\d$/gm, 'CLOCK')
    .replaceAll(/STDERR \(\d+ bytes\)/g, 'STDERR (N bytes)')
    .replaceAll(/ {2,}/g, '  ')
    .replaceAll(/ +$/gm, '')
}

test('what the README shows is what happens', async () => {
  await using rig = readersRig()
  for (const block of blocks('console')) {
    const commands = block.split('\n').flatMap((line) => (line.startsWith('$ ') ? line.slice(2) : []))
    let shown = ''
    for (const command of commands) {
      const result = await rig.spawn('bash', ['-c', `{ ${command}\n} 2>&1`])
      shown += `$ ${command}\n${Buffer.from(result.stdout).toString()}`
    }
    expect(normalized(shown, rig)).toBe(normalized(block, rig))
  }
})

test('every other command in it runs too', async () => {
  await using rig = readersRig()
  await rig.spawn('bash', ['-c', 'cronwrap -- python3 reminder.py; cronwrap -- python3 broken.py'])
  const inline = [...README.matchAll(/`(cronwrap [^`<]*)`/g)].flatMap(([, command]) => command ?? [])
  // What asks OpenClaw, this machine or somebody who is told has tests of its own.
  const commands = inline.filter(
    (command) => !/ -f$|--( |$)|openclaw|^cronwrap (doctor|check|notify test)/.test(command),
  )
  expect(commands.length).toBeGreaterThanOrEqual(8)
  for (const command of commands) {
    const result = await rig.spawn('bash', ['-c', command])
    expect(result.exitCode, `${command}: ${Buffer.from(result.stderr).toString()}`).toBe(0)
  }
})

test('the settings that it shows can be used', async () => {
  await using rig = createRig()
  expect(blocks('json')).toHaveLength(1)
  fs.outputFileSync(rig.home.config, blocks('json')[0] ?? '')
  const { targets, problems, targetsOf } = readNotifyConfig(rig.home.config)
  expect([...targets.keys()]).toEqual(['ops', 'pager', 'chat', 'root'])
  expect([problems, targetsOf('backup'), targetsOf('experiment')]).toEqual([[], ['pager', 'ops'], []])
  expect(await rig.run(['check'])).toMatchObject({ code: 0 })
})

test('the crontab lines work as cron runs them', async () => {
  await using rig = readersRig()
  const line = blocks('crontab')[0] ?? ''
  const command = line.split(/\s+/).slice(5).join(' ').trim().replace('/srv/jobs', rig.directory)
  const env = { HOME: rig.directory, SHELL: '/bin/sh', PATH: rig.env['PATH'] }
  const result = await rig.spawn('/bin/sh', ['-c', command], { env })
  expect(Buffer.from(result.stdout).toString()).toMatch(/^喝水时间到了/)
  expect((await rig.run(['status', '--json'])).stdout).toContain('"job": "water-reminder"')
  const schedule = fs
    .readFileSync(join(ROOT, 'examples/crontab'), 'utf8')
    .split('\n')
    .filter((each) => /^[\d*]/.test(each))
  expect(schedule.length).toBeGreaterThan(1)
  for (const each of schedule) expect(each).toMatch(/^(\S+\s+){5}cronwrap (--job \S+ .*-- \S+|check --quiet$)/)
})

test('the OpenClaw line gives OpenClaw a command that it can run', async () => {
  await using rig = readersRig()
  const block = blocks('sh').find((each) => each.startsWith('cronwrap openclaw add')) ?? ''
  rig.write('bin/openclaw', '#!/bin/sh\nprintf "%s\\n" "$@" > "$HOME/words"; echo "{}"\n')
  const line = block.trimEnd().replaceAll('/srv/jobs', rig.directory).replace(' -- ', ' --apply -- ')
  expect((await rig.spawn('bash', ['-c', line])).exitCode).toBe(0)
  const words = fs.readFileSync(rig.path('words'), 'utf8').split('\n')
  const argv = JSON.parse(words[words.indexOf('--command-argv') + 1] ?? '') as string[]
  const variables = words.flatMap((word, index) =>
    words[index - 1] === '--command-env' ? [word.split(/=(.*)/).slice(0, 2)] : [],
  )
  const env = { ...rig.env, ...(Object.fromEntries(variables) as Record<string, string>) }
  expect((await rig.spawn(argv[0] ?? '', argv.slice(1), { env })).exitCode).toBe(0)
  expect((await rig.run(['status', '--json'])).stdout).toContain('"job": "water-reminder"')
})

test('examples/try.sh records two real jobs and leaves nothing but what was compiled', async () => {
  await using rig = createRig()
  const result = await rig.spawn('sh', [join(ROOT, 'examples/try.sh')])
  expect(result.exitCode).toBe(0)
  const shown = Buffer.from(result.stdout).toString()
  expect(shown).toMatch(/broken +\S+ \S+ +failed \(exit 1\)/)
  expect(shown).toMatch(/RuntimeError: 磁盘已满 \(disk full\)\n=== END /)
  expect(fs.readdirSync(rig.directory)).toEqual(['.cache'])
})

test('the README names every option and exit code that the help names', async () => {
  await using rig = createRig()
  const { stdout } = await rig.run(['--help'])
  for (const code of ['124', '125', '126', '127', '75']) {
    expect(stdout).toContain(code)
    expect(README).toContain(code)
  }
  const options = new Set([...README.matchAll(/`?--([a-z-]+[a-z])/g)].map(([, name]) => `--${name}`))
  const foreign = [
    '--global',
    '--init',
    '--tz',
    '--channel',
    '--to',
    '--schedule',
    '--apply',
    '--agent',
    '--file',
    '--fix',
    '--from-openclaw',
    '--dry-run',
    '--undo',
    '--quiet',
    '--oncall',
  ]
  const known = `${stdout} --json --help --stdout --stderr --failed --out --status --duration-ms --error --run --schema --daily ${foreign.join(' ')}`
  for (const option of options) expect(known, option).toContain(option)
})
