import fs from 'fs-extra'
import { join } from 'node:path'
import { createRig, kill, until, type Rig } from '../support/rig.ts'
import { eachCase, type Scenario } from './scenario.ts'

/** One of everything cronwrap writes: a lost run in its spool, a delivery, an alert, states, a lock's leftovers. */
const EVERYTHING = `
  for i in 1 2 3; do cronwrap --job fails --overlap skip --retries 1 --retry-delay 0s -- sh -c 'echo out; echo err >&2; exit 1'; done
  cronwrap delivery fails 1 failed --error no
  cronwrap state set shared '{"a":1}'
  cronwrap state merge daily '{"b":1}' --daily
  cronwrap --job fails --overlap skip -- sh -c 'echo up; exec sleep 60' &
  exec sleep 60`

async function umaskCase(umask: string): Promise<string[]> {
  await using rig = createRig()
  const shell = rig.shell(`umask ${umask}; ${EVERYTHING}`, { detached: true })
  await until('a run is in progress', () => rig.running().length === 1 && wanted(rig), 60_000)
  const problems = tooOpen(rig.home.base)
  await rig.run(['--job', 'umask', '--', 'true'])
  const job = await rig.shell(`umask ${umask}; cronwrap -- sh -c umask`)
  if (Number.parseInt(job.stdout, 8) !== Number.parseInt(umask, 8)) problems.push(`the job's umask is ${job.stdout}`)
  void shell
  return problems
}

function wanted(rig: Rig): boolean {
  return fs.existsSync(join(rig.home.running, rig.running()[0] ?? '', '1.stdout.0'))
}

function tooOpen(path: string): string[] {
  const stat = fs.lstatSync(path)
  const mode = stat.mode & 0o7777
  const right = stat.isDirectory() ? 0o700 : 0o600
  return [
    ...(mode === right ? [] : [`${path} is ${mode.toString(8)}`]),
    ...(stat.isDirectory() ? fs.readdirSync(path).flatMap((name) => tooOpen(join(path, name))) : []),
  ]
}

/** A link planted where something is written must not lead the writing astray. */
const PLANTED = [
  'logs/cron-journal.jsonl',
  'logs/cron-journal.000001.jsonl',
  'logs/cron-summary.json',
  'logs/cron-alerts.json',
  'logs/cron-summary.json.lock',
  'logs/planted.log',
  'logs/planted.log.1',
  'logs/cronwrap.log',
  'state/planted.json',
] as const

/** @param leadsTo a file that is there, or one that is not */
async function plantedCase([name, leadsTo]: readonly [string, 'victim' | 'nowhere']): Promise<string[]> {
  await using rig = createRig()
  const victim = rig.write('victim', 'not yours\n', 0o644)
  const path = join(rig.home.base, name)
  fs.mkdirpSync(join(path, '..'))
  fs.symlinkSync(rig.path(leadsTo), path)
  const run = await rig.run(['--job', 'planted', '--', 'sh', '-c', 'echo job; exit 3'])
  await rig.run(['delivery', 'planted', '1'])
  await rig.run(['state', 'set', 'planted', '{"a":1}'])
  await rig.run(['repair'])
  return [
    ...(run.code === 3 && run.stdout === 'job\n' ? [] : [`the job: ${run.code} ${run.stdout}`]),
    ...(run.stderr.split('\n').length <= 2 ? [] : [`stderr holds ${run.stderr}`]),
    ...(fs.readFileSync(victim, 'utf8') === 'not yours\n' ? [] : ['what it leads to was changed']),
    ...(fs.existsSync(rig.path('nowhere')) ? ['what it leads to was made'] : []),
  ]
}

const ESCAPES = ['../escaped', '..', '/tmp/escaped', 'a/b', '.hidden', 'x'.repeat(129), 'a b', '~', '$(touch escaped)']

/** A name from outside can never become a path beyond the base directory. */
async function escapeCase(name: string): Promise<string[]> {
  await using rig = createRig()
  fs.outputJsonSync(rig.home.config, { jobs: { [name]: { timeout: '1s' } } })
  await rig.run(['--job', 'known', '--', 'true'])
  const before = outside(rig)
  const words = [
    ['--job', name, '--', 'true'],
    ['delivery', name, '1'],
    ['logs', name],
    ['runs', name],
    ['record', name, '--status', 'success', '--duration-ms', '1'],
    ['state', 'set', name, '{}'],
    ['state', 'get', name],
    ['state', 'delete', name],
    ['logs', 'known', '--run', name],
    ['delivery', 'known', '1', '--run', name],
  ]
  const problems: string[] = []
  for (const each of words) {
    const { code, stderr } = await rig.run(each)
    if (code === 0 || stderr.includes('internal error')) problems.push(`${each.join(' ')}: ${code} ${stderr}`)
  }
  await rig.runWith({ CRONWRAP_JOB: name, CRONWRAP_RUN_ID: name, CRONWRAP_JOB_ID: name }, ['--', 'true'])
  await plantSpool(rig, name)
  await rig.run(['repair'])
  if (outside(rig).join() !== before.join()) problems.push(`outside are now ${outside(rig).join()}`)
  return problems
}

/** The spool of a dead wrapper whose manifest was tampered with. */
async function plantSpool(rig: Rig, name: string): Promise<void> {
  const wrapper = rig.start(['--job', 'known', '--', 'sleep', '60'], { detached: true })
  await until('it has begun', () => rig.running().length === 1)
  kill(-(wrapper.pid ?? 0), 'SIGKILL')
  await wrapper
  const path = join(rig.home.running, rig.running()[0] ?? '', 'run.json')
  const manifest = JSON.parse(fs.readFileSync(path, 'utf8')) as object
  fs.writeFileSync(path, `${JSON.stringify({ ...manifest, job: name, run_id: name })}\n`)
}

function outside(rig: Rig): string[] {
  return [
    ...fs.readdirSync(rig.directory),
    ...fs.readdirSync(rig.home.base),
    // Jobs of other names than these could only come from the id.
    ...[rig.home.logs, rig.home.state].flatMap((path) =>
      fs.existsSync(path)
        ? fs.readdirSync(path).filter((file) => !/^(?:\.?cron-|known\.|true\.|\.running|\.cron)/.test(file))
        : [],
    ),
    ...fs.readdirSync('/tmp').filter((name) => name === 'escaped'),
  ]
}

const SEQUENCES: Record<string, string> = {
  title: '\u001b]0;pwned\u0007',
  clear: '\u001b[2J\u001b[H',
  'a C1 control': '\u009b2J',
  'a carriage return': 'ok\rfailed',
  backspaces: 'abc\b\b\b',
  'a device query': '\u001bP+q544e\u001b\\',
  'a right-to-left override': '\u202egnp.exe',
}

/** What a job printed is shown as text; it must not work the terminal of whoever looks. */
async function escapeSequenceCase(name: string): Promise<string[]> {
  await using rig = createRig()
  const sequence = SEQUENCES[name] ?? ''
  await rig.run([
    '--alert-after',
    '1',
    '--job',
    'evil',
    '--',
    'sh',
    '-c',
    `printf '%s\\n' "$1"; exit 1`,
    'sh',
    `error ${sequence} end`,
  ])
  await rig.run(['delivery', 'evil', `1${sequence}`, 'failed', '--error', `no ${sequence}`])
  const problems: string[] = []
  for (const words of [['status'], ['status', 'evil'], ['alerts'], ['runs', 'evil']]) {
    const { stdoutBytes, stderr } = await rig.run(words)
    const text = stdoutBytes.toString('utf8')
    const found = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.exec(text)
    if (found !== null || stderr !== '')
      problems.push(`${words.join(' ')} prints ${JSON.stringify(text.slice(found?.index ?? 0, 40))}${stderr}`)
  }
  return problems
}

export const SECURITY_SCENARIOS: readonly Scenario[] = [
  {
    name: 'private whatever the umask',
    run: () => eachCase(['000', '022', '077', '0777'], 2, (umask) => `umask ${umask}`, umaskCase),
  },
  {
    name: 'symlinks planted where files are written',
    run: () =>
      eachCase(
        PLANTED.flatMap(
          (name) =>
            [
              [name, 'victim'],
              [name, 'nowhere'],
            ] as const,
        ),
        4,
        String,
        plantedCase,
      ),
  },
  {
    name: 'names that would lead out of the base directory',
    run: () => eachCase(ESCAPES, 2, (id) => JSON.stringify(id), escapeCase),
  },
  {
    name: 'terminal escape sequences in output',
    run: () => eachCase(Object.keys(SEQUENCES), 2, String, escapeSequenceCase),
  },
]
