import { spawnSync } from 'node:child_process'
import fs from 'fs-extra'
import { join } from 'node:path'
import { createRig, finished, until, type Rig } from '../support/rig.ts'
import { Oracle } from './oracle.ts'
import { eachCase, type Context, type Outcome, type Scenario } from './scenario.ts'

const DISK_BYTES = 2 * 1024 * 1024
const TEXT = Array.from({ length: 3_000 }, (_, line) => `line ${line} `.padEnd(99, '.')).join('\n')

function mountUnavailable(): string | null {
  const probe = fs.mkdtempSync('/tmp/cronwrap-mount-')
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', probe], { stdio: 'ignore' })
  if (status === 0) spawnSync('umount', [probe])
  fs.rmdirSync(probe)
  return status === 0 ? null : 'mount is not permitted'
}

/** A file system of its own for the records, full but for `leftBytes`, and whatever is below it once it is freed. */
async function fillAndFree(leftBytes: number): Promise<string[]> {
  await using rig = createRig()
  fs.mkdirSync(rig.home.base)
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0700`, 'none', rig.home.base])
  try {
    return await runOnFullDisk(rig, leftBytes)
  } finally {
    spawnSync('umount', ['-l', rig.home.base])
  }
}

async function runOnFullDisk(rig: Rig, leftBytes: number): Promise<string[]> {
  const oracle = new Oracle(rig)
  const gate = rig.path('gate')
  spawnSync('mkfifo', [gate])
  const printed = `@${rig.write('text', `${TEXT}\n`)}`
  const filled = rig.start(oracle.wordsAfter(`read _ < ${gate}`, 'filled', printed, 3))
  await until('it has begun', () => rig.running().length === 1)
  fillDisk(rig, leftBytes)
  // Opening for writing waits for the job to read.
  fs.writeFileSync(gate, '\n')
  const { code, stdout, stderr } = finished(await filled)
  oracle.noteSurvival('filled', stderr !== '')
  const problems = [
    ...(code === 3 ? [] : [`the exit code became ${code}`]),
    ...(stdout === `${TEXT}\n` ? [] : [`the output has ${stdout.length} bytes, not ${TEXT.length + 1}`]),
    ...(stderr.split('\n').length === 2 ? [] : [`stderr holds ${JSON.stringify(stderr)}`]),
  ]
  // Nothing can be recorded of this one; it runs all the same.
  const meanwhile = await rig.run(['--', 'sh', '-c', 'echo meanwhile; exit 4'])
  if (meanwhile.code !== 4 || meanwhile.stdout !== 'meanwhile\n') problems.push(`meanwhile: ${meanwhile.code}`)
  fs.rmSync(join(rig.home.base, 'filler'))
  oracle.letTimePass()
  const after = await rig.run(oracle.words('after', printed, 0))
  oracle.noteSurvival('after')
  if (after.code !== 0 || after.stderr !== '') problems.push(`the next run: ${after.code} ${after.stderr}`)
  return [...problems, ...oracle.compare(TEXT)]
}

function fillDisk(rig: Rig, leftBytes: number): void {
  const { bavail, bsize } = fs.statfsSync(rig.home.base)
  fs.writeFileSync(join(rig.home.base, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)))
}

async function run({ random, soak }: Context): Promise<Outcome> {
  const cases = Array.from({ length: soak ? 60 : 12 }, (_, index) =>
    index < 3 ? index * 4096 : Math.floor(random() * 400_000),
  )
  return eachCase(cases, 2, (left) => `${left} bytes left`, fillAndFree)
}

export const FULL_DISK_SCENARIOS: readonly Scenario[] = [
  { name: 'a file system that fills during a run and is freed', unavailable: mountUnavailable, run },
]
