import { spawnSync } from 'node:child_process'
import fs from 'fs-extra'
import { join } from 'node:path'
import { getAlerts, getSummary, readState, runJob } from '../../src/index.ts'
import { readConfigFile } from '../../src/config/config-file.ts'
import { homeAt } from '../../src/config/base-directory.ts'
import { BIN, createRig, finished, kill, until, type Finished, type RawProcess, type Rig } from '../support/rig.ts'
import { Oracle } from './oracle.ts'
import { eachCase, type Context, type Outcome, type Scenario } from './scenario.ts'

const TEXT = 'kept'
const NOBODY = 65_534
/** Of one file, outside a soak. */
const MOST_CUTS = 160
const KINDS = ['journal', 'summary', 'alerts', 'state', 'log', 'spool', 'cronwrap.json'] as const
type Kind = (typeof KINDS)[number]

/** A base directory with one of everything: a failing job with an alert, a state, a spool that a killed wrapper left. */
async function furnish(rig: Rig): Promise<void> {
  const oracle = new Oracle(rig)
  fs.outputJsonSync(rig.home.config, { defaults: { alert_after: 1 }, jobs: { subject: { retries: 0 } } })
  await rig.run(oracle.words('subject', TEXT, 3))
  await rig.run(['state', 'set', 'shared', '{"a": 1}'])
  const wrapper = rig.start(['--job', 'victim', '--', 'sh', '-c', 'echo kept; exec sleep 60'], { detached: true })
  const spooled = (): string => join(rig.home.running, rig.running()[0] ?? '', '1.stdout.0')
  await until('it has printed', () => fs.readFileSync(spooled(), 'utf8') === 'kept\n')
  kill(-(wrapper.pid ?? 0), 'SIGKILL')
  await wrapper
  fs.removeSync(join(rig.home.running, '.pipes'))
}

function pathOf(kind: Kind, base: string): string {
  const { journal, summary, alerts, state, logs, running, config } = homeAt(base)
  const spool = fs.existsSync(running) ? fs.readdirSync(running).find((name) => !name.startsWith('.')) : undefined
  return {
    journal,
    summary,
    alerts,
    state: join(state, 'shared.json'),
    log: join(logs, 'subject.log'),
    spool: join(running, spool ?? '', 'run.json'),
    'cronwrap.json': config,
  }[kind]
}

/** Copies it, FIFOs left out, and makes the well-known name the second name of the newest segment again. */
function copyBase(from: string, to: string): void {
  fs.copySync(from, to, { filter: (path) => !fs.lstatSync(path).isFIFO() })
  const { journal, logs } = homeAt(to)
  fs.rmSync(journal)
  fs.linkSync(join(logs, 'cron-journal.000001.jsonl'), journal)
}

/** One process that opens thousands of base directories, each with one file cut short. */
async function truncateEverywhere({ soak }: Context): Promise<Outcome> {
  await using rig = createRig()
  await furnish(rig)
  const outcomes: Outcome[] = []
  for (const kind of KINDS) {
    const bytes = fs.statSync(pathOf(kind, rig.home.base)).size
    const step = soak ? 1 : Math.ceil(bytes / MOST_CUTS)
    const cuts = Array.from({ length: Math.ceil(bytes / step) }, (_, index) => index * step)
    outcomes.push(
      await eachCase(
        cuts,
        4,
        (at) => `${kind} cut at byte ${at} of ${bytes}`,
        (at) => truncated(rig, kind, at),
      ),
    )
  }
  return {
    faults: outcomes.reduce((sum, { faults }) => sum + faults, 0),
    lost: outcomes.flatMap(({ lost }) => lost),
  }
}

async function truncated(rig: Rig, kind: Kind, at: number): Promise<string[]> {
  const base = rig.path(`${kind}-${at}`)
  copyBase(rig.home.base, base)
  fs.truncateSync(pathOf(kind, base), at)
  const options = { home: base, env: {} }
  const warnings: string[] = []
  readConfigFile(homeAt(base).config, warnings)
  const result = await runJob({ ...options, job: 'after', command: ['true'], tee: 'none' })
  const [summary, alerts] = [getSummary(options), getAlerts(options)]
  const state = await readState('shared', options)
  const problems = [
    ...(result.exitCode === 0 && result.problems.length === 0
      ? []
      : [`the run: ${result.exitCode} ${result.problems.join('; ')}`]),
    ...(warnings.length <= 1 ? [] : [warnings.join('; ')]),
    ...(summary['after']?.total_runs === 1 ? [] : ['the run is not in the summary']),
    // What is cut off the journal is gone, and only there.
    ...(kind === 'journal' || summary['subject']?.consecutive_errors === 1 ? [] : ['the earlier run is gone']),
    ...(kind === 'journal' || alerts.some(({ job_id }) => job_id === 'subject') ? [] : ['the alert is gone']),
    ...(kind === 'spool' || summary['victim']?.last_reason === 'lost' ? [] : ['the lost run is not on record']),
    ...(kind === 'state' || JSON.stringify(state) === '{"a":1}' ? [] : [`the state is ${JSON.stringify(state)}`]),
    ...unparsable(base),
  ]
  fs.removeSync(base)
  return problems
}

function unparsable(base: string): string[] {
  return [homeAt(base).summary, homeAt(base).alerts].flatMap((path) => {
    try {
      JSON.parse(fs.readFileSync(path, 'utf8'))
      return []
    } catch (error) {
      return [`${path}: ${String(error)}`]
    }
  })
}

const FORMS: Record<string, (path: string) => void> = {
  'filled with zeros': (path) => fs.writeFileSync(path, Buffer.alloc(fs.statSync(path).size)),
  'a directory': (path) => {
    fs.rmSync(path)
    fs.mkdirSync(path)
    fs.writeFileSync(join(path, 'something'), '')
  },
  'a dangling symlink': (path) => {
    fs.rmSync(path)
    fs.symlinkSync('/nonexistent/target', path)
  },
  'a FIFO': (path) => {
    fs.rmSync(path)
    spawnSync('mkfifo', [path])
  },
  '100 MiB of one line': (path) => {
    const fd = fs.openSync(path, 'w')
    for (let mib = 0; mib < 100; mib++) fs.writeSync(fd, Buffer.alloc(1024 * 1024, 'x'))
    fs.closeSync(fd)
  },
  "another user's": (path) => {
    fs.chmodSync(path, 0)
    if (process.getuid?.() === 0) fs.chownSync(path, 0, 0)
  },
}

const LOOKS = [
  ['status', '--json'],
  ['alerts'],
  ['logs', 'subject'],
  ['runs', 'subject'],
  ['state', 'get', 'shared'],
  ['delivery', 'subject', '1'],
  ['repair'],
] as const

async function spoilt(furnished: Rig, [kind, form]: readonly [Kind, string]): Promise<string[]> {
  await using rig = createRig()
  copyBase(furnished.home.base, rig.home.base)
  const path = pathOf(kind, rig.home.base)
  const start = form === "another user's" ? asSomebodyElse(rig) : (words: readonly string[]) => rig.start(words)
  FORMS[form]?.(path)
  const problems: string[] = []
  const within = async (words: readonly string[]): Promise<Finished> => {
    const started = performance.now()
    const result = finished(await start(words))
    if (performance.now() - started > 20_000) problems.push(`${words.join(' ')} took ${performance.now() - started} ms`)
    if (result.stderr.includes('internal error') || result.code === undefined)
      problems.push(`${words.join(' ')}: ${result.signal ?? ''} ${result.stderr}`)
    return result
  }
  const run = async (): Promise<void> => {
    const { code, stdout, stderr } = await within(['--job', 'after', '--', 'sh', '-c', 'echo job; exit 3'])
    if (code !== 3 || stdout !== 'job\n') problems.push(`the job: ${code} ${stdout}`)
    if (stderr.split('\n').length > 2) problems.push(`stderr holds ${JSON.stringify(stderr)}`)
  }
  await run()
  for (const words of LOOKS) await within(words)
  // Once the obstacle is out of the way everything works again, and nothing of before is lost.
  if (form === "another user's" && fs.existsSync(path)) {
    fs.chmodSync(path, 0o600)
    giveAway(rig)
  } else if (fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
    fs.rmSync(path, { recursive: true })
  }
  await run()
  await within(['repair'])
  const last = await within(['status', 'after', '--json'])
  if (!last.stdout.includes('"last_exit_code": 3')) problems.push(`no record of the job: ${last.stdout}${last.stderr}`)
  return [...problems, ...unparsable(rig.home.base)]
}

/** Everything belongs to somebody without rights, who runs a copy of the program: ours may lie where only root gets. */
function asSomebodyElse(rig: Rig): (words: readonly string[]) => RawProcess {
  if (process.getuid?.() !== 0) return (words) => rig.start(words)
  for (const part of ['bin', 'dist']) fs.copySync(join(BIN, '../..', part), rig.path(part))
  giveAway(rig)
  return (words) => rig.spawn(process.execPath, [rig.path('bin/cronwrap.js'), ...words], { uid: NOBODY, gid: NOBODY })
}

function giveAway(rig: Rig): void {
  if (process.getuid?.() === 0) spawnSync('chown', ['-R', String(NOBODY), rig.directory])
}

async function spoilEverything(): Promise<Outcome> {
  const cases = KINDS.flatMap((kind) => Object.keys(FORMS).map((form) => [kind, form] as const))
  await using rig = createRig()
  await furnish(rig)
  return await eachCase(
    cases,
    3,
    ([kind, form]) => `${kind} is ${form}`,
    (each) => spoilt(rig, each),
  )
}

export const CORRUPTION_SCENARIOS: readonly Scenario[] = [
  { name: 'each file cut short at many bytes', run: truncateEverywhere },
  { name: 'each file replaced by something else', run: spoilEverything },
]
