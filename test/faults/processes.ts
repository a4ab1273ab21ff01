import { spawnSync } from 'node:child_process'
import fs from 'fs-extra'
import { BIN, createRig, finished, processesOf, until, type Rig } from '../support/rig.ts'
import { eachCase, type Scenario } from './scenario.ts'

interface Case {
  readonly name: string
  readonly unavailable?: () => string | null
  readonly lostIn: (rig: Rig) => Promise<string[]>
}

/** A run under a timeout that nothing of the job may outlive. */
function leavesNothing(name: string, script: string, expected: readonly number[] = [124]): Case {
  return {
    name,
    lostIn: async (rig) => {
      const job = rig.write('job.sh', script)
      const words = ['--timeout', '400ms', '--kill-after', '400ms', '--job', 'j', '--', 'bash', job]
      const { code, stderr } = await rig.run(words)
      const left = processesOf(rig.directory)
      const reason = rig.runs()[0]?.reason
      return [
        ...(expected.includes(code ?? -1) && stderr === '' ? [] : [`exit code ${code} ${stderr}`]),
        ...(left.length === 0 ? [] : [`${left.length} processes are left`]),
        ...(reason === 'timeout' ? [] : [`on record is ${reason}`]),
      ]
    },
  }
}

function unshareUnavailable(): string | null {
  const { status } = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true'], { stdio: 'ignore' })
  return status === 0 ? null : 'unshare is not permitted'
}

const AS_PID_1 = ['--pid', '--fork', '--mount-proc', '--kill-child', process.execPath, BIN]

const CASES: readonly Case[] = [
  leavesNothing('a child that ignores TERM', `trap '' TERM; while :; do sleep 0.1; done`),
  leavesNothing('a stopped child', `kill -STOP $$; sleep 60`),
  leavesNothing('a grandchild that outlives the timeout', `trap 'exit 0' TERM; (trap '' TERM; sleep 60) & wait`),
  leavesNothing('a double fork', `( ( sleep 60 & ) & ); sleep 60`),
  leavesNothing('setsid', `setsid sh -c 'trap "" TERM; sleep 60' & sleep 60`),
  leavesNothing('a double fork with setsid', `( setsid sh -c 'sleep 60 & sleep 60' & ); sleep 60`),
  {
    name: 'a daemon that holds the output',
    lostIn: async (rig) => {
      const started = performance.now()
      const run = await rig.run([
        '--drain',
        '200ms',
        '--job',
        'j',
        '--',
        'sh',
        '-c',
        'setsid sleep 8 & echo started; exit 3',
      ])
      const took = performance.now() - started
      return run.code === 3 && run.stdout === 'started\n' && took < 5_000
        ? []
        : [`${run.code} after ${took} ms: ${run.stdout}`]
    },
  },
  {
    name: '10,000 arguments',
    lostIn: async (rig) => {
      const many = Array.from({ length: 10_000 }, (_, index) => `argument-${index}`)
      const { code, stdout } = await rig.run([
        '--job',
        'j',
        '--',
        'sh',
        '-c',
        'echo $# ${10000}; exit 3',
        'sh',
        ...many,
      ])
      const told = rig.log('j').includes('argument-9 ')
      return code === 3 && stdout === '10000 argument-9999\n' && told ? [] : [`${code} ${stdout}`]
    },
  },
  {
    name: 'an environment of 1 MiB',
    lostIn: async (rig) => {
      const large = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`LARGE_${index}`, 'x'.repeat(65_536)]))
      const { code, stdout } = await rig.runWith(large, ['--job', 'j', '--', 'sh', '-c', 'echo ${#LARGE_15}; exit 3'])
      return code === 3 && stdout === '65536\n' && rig.runs().length === 1 ? [] : [`${code} ${stdout}`]
    },
  },
  {
    name: 'a zombie',
    lostIn: async (rig) => {
      const script = `python3 -c "import os, time
if os.fork() == 0: os._exit(0)
time.sleep(0.3)
print(open('/proc/self/task/%d/children' % os.getpid()).read().split() != [])"; exit 3`
      const { code, stdout } = await rig.run(['--job', 'j', '--', 'sh', '-c', script])
      return code === 3 && stdout === 'True\n' ? [] : [`${code} ${stdout}`]
    },
  },
  {
    name: 'a wrapper inside a wrapper inside a wrapper',
    lostIn: async (rig) => {
      const { code, stdout, stderr } = await rig.shell(
        `export -f cronwrap; cronwrap --job a -- bash -c "cronwrap --job b -- bash -c 'cronwrap --job c -- sh -c \\"echo deep; exit 3\\"'"; exit $?`,
      )
      const recorded = rig.runs().map(({ job, exit_code }) => `${job}${exit_code}`)
      return code === 3 && stdout === 'deep\n' && recorded.join() === 'c3,b3,a3'
        ? []
        : [`${code} ${stderr} ${recorded.join()}`]
    },
  },
  {
    name: 'pid 1 of a namespace: orphans do not hold it up, and nothing is left',
    unavailable: unshareUnavailable,
    lostIn: async (rig) => {
      const script = rig.write(
        'orphans.sh',
        `for i in 1 2 3 4 5; do (sleep 0.1 &) ; done; (setsid sleep 60 &) ; sleep 0.5; exit 3`,
      )
      const { code, stderr } = await finishedOf(rig, ['--job', 'j', '--', 'sh', script])
      return [
        ...(code === 3 && stderr === '' ? [] : [`${code} ${stderr}`]),
        ...(processesOf(rig.directory).length === 0 ? [] : ['something is left']),
        ...(rig.runs()[0]?.exit_code === 3 ? [] : ['it is not on record']),
      ]
    },
  },
  {
    name: 'pid 1 of a namespace: TERM reaches the job',
    unavailable: unshareUnavailable,
    lostIn: async (rig) => {
      const script = rig.write(
        'trap.sh',
        `trap 'echo got TERM; exit 7' TERM; touch ${rig.path('up')}; while :; do sleep 0.05; done`,
      )
      const run = rig.spawn('unshare', [...AS_PID_1, '--job', 'j', '--', 'bash', script])
      await until('it is up', () => fs.existsSync(rig.path('up')))
      const [wrapper] = processesOf(rig.directory).filter((pid) =>
        commandOf(pid).startsWith(`${process.execPath}\0${BIN}`),
      )
      process.kill(wrapper ?? 0, 'SIGTERM')
      const { code, stdout } = finished(await run)
      return code === 7 && stdout === 'got TERM\n' && rig.runs()[0]?.exit_code === 7 ? [] : [`${code} ${stdout}`]
    },
  },
]

function commandOf(pid: number): string {
  return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8')
}

async function finishedOf(rig: Rig, words: readonly string[]): Promise<ReturnType<typeof finished>> {
  return finished(await rig.spawn('unshare', [...AS_PID_1, ...words]))
}

async function inRig({ lostIn }: Case): Promise<string[]> {
  await using rig = createRig()
  return await lostIn(rig)
}

export const PROCESS_SCENARIOS: readonly Scenario[] = [
  {
    name: 'processes that fork away, ignore, stop, crowd or nest',
    run: () =>
      eachCase(
        CASES.filter(({ unavailable }) => unavailable === undefined),
        2,
        ({ name }) => name,
        inRig,
      ),
  },
  {
    name: 'process 1 of a pid namespace',
    unavailable: unshareUnavailable,
    run: () =>
      eachCase(
        CASES.filter(({ unavailable }) => unavailable !== undefined),
        2,
        ({ name }) => name,
        inRig,
      ),
  },
]
