import fs from 'fs-extra'
import { expect, test } from 'vitest'
import { createRig, type Rig } from '../support/rig.ts'

const RUN = ['--job', 'job', '--', 'sh', '-c', 'echo ran; exit 3'] as const
const ENDED = { code: 3, stdout: 'ran\n', stderr: '' }

/** Where the first run leaves what it compiled. */
function compiledIn(rig: Rig): string {
  return rig.path(`.cache/cronwrap/${process.version}-${process.arch}.compiled`)
}

function inodeOf(path: string): number {
  return fs.statSync(path).ino
}

test('what the first run compiled serves those that follow', async () => {
  await using rig = createRig()
  expect(await rig.run(['status'])).toMatchObject({ code: 0 })
  expect(fs.existsSync(compiledIn(rig))).toBe(false)
  expect(await rig.run(RUN)).toMatchObject(ENDED)
  const kept = inodeOf(compiledIn(rig))
  expect(fs.statSync(compiledIn(rig)).mode & 0o777).toBe(0o600)
  expect(fs.readdirSync(rig.path('.cache/cronwrap'))).toHaveLength(1)
  // Had V8 not taken it, it would have been made again.
  for (let run = 0; run < 2; run++) expect(await rig.run(RUN)).toMatchObject(ENDED)
  expect(inodeOf(compiledIn(rig))).toBe(kept)
})

test('what is not whole, or of another build, is made again', async () => {
  await using rig = createRig()
  await rig.run(RUN)
  const whole = fs.readFileSync(compiledIn(rig))
  const line = whole.indexOf('\n') + 1
  const spoilt = {
    nothing: Buffer.alloc(0),
    'only the line': whole.subarray(0, line),
    half: whole.subarray(0, whole.byteLength / 2),
    'a byte less': whole.subarray(0, -1),
    'zeros at its end': Buffer.concat([whole.subarray(0, -4096), Buffer.alloc(4096)]),
    'another build': Buffer.concat([Buffer.from(`// ${'0'.repeat(64)}\n`), whole.subarray(line)]),
    'no code': Buffer.concat([whole.subarray(0, line), Buffer.alloc(8192, 'x')]),
  }
  for (const [what, content] of Object.entries(spoilt)) {
    fs.writeFileSync(compiledIn(rig), content)
    const before = inodeOf(compiledIn(rig))
    expect(await rig.run(RUN), what).toMatchObject(ENDED)
    expect(inodeOf(compiledIn(rig)), what).not.toBe(before)
  }
  const flipped = Buffer.from(whole)
  flipped[line + 9000] = (flipped[line + 9000] ?? 0) ^ 0x55
  fs.writeFileSync(compiledIn(rig), flipped)
  expect(await rig.run(RUN)).toMatchObject(ENDED)
})

test('nothing is taken from where somebody else may write', async () => {
  await using rig = createRig()
  await rig.run(RUN)
  const kept = inodeOf(compiledIn(rig))
  fs.chmodSync(rig.path('.cache/cronwrap'), 0o777)
  fs.truncateSync(compiledIn(rig))
  expect(await rig.run(RUN)).toMatchObject(ENDED)
  expect([inodeOf(compiledIn(rig)), fs.statSync(compiledIn(rig)).size]).toEqual([kept, 0])
})

test.runIf(process.getuid?.() === 0)('nothing is made in the home of somebody else', async () => {
  await using rig = createRig()
  fs.mkdirSync(rig.path('theirs'))
  fs.chownSync(rig.path('theirs'), 65_534, 65_534)
  expect(await rig.runWith({ HOME: rig.path('theirs') }, RUN)).toMatchObject(ENDED)
  expect(fs.readdirSync(rig.path('theirs'))).toEqual([])
})

test('what is no file of ours is not opened for long', async () => {
  await using rig = createRig()
  await rig.run(RUN)
  const path = compiledIn(rig)
  for (const target of ['/dev/zero', '/dev/null', rig.path('none')]) {
    fs.rmSync(path)
    fs.symlinkSync(target, path)
    expect(await rig.run(RUN), target).toMatchObject(ENDED)
    expect(fs.lstatSync(path).isFile(), target).toBe(true)
  }
  fs.rmSync(path)
  await rig.spawn('mkfifo', [path])
  await rig.spawn('mkfifo', [`${path}.new`])
  expect(await rig.run(RUN)).toMatchObject(ENDED)
  expect(fs.readdirSync(rig.path('.cache/cronwrap'))).toHaveLength(1)
})

test('a run with options of its own for Node keeps nothing, and takes nothing away', async () => {
  await using rig = createRig()
  await rig.run(RUN)
  const kept = inodeOf(compiledIn(rig))
  expect(await rig.runWith({ NODE_OPTIONS: '--max-old-space-size=256' }, RUN)).toMatchObject(ENDED)
  expect(inodeOf(compiledIn(rig))).toBe(kept)
})

test.each([
  ['a relative cache', (): NodeJS.ProcessEnv => ({ XDG_CACHE_HOME: 'cache', HOME: undefined })],
  ['no HOME', (_rig: Rig): NodeJS.ProcessEnv => ({ HOME: undefined })],
  ['a HOME that is a device', (): NodeJS.ProcessEnv => ({ HOME: '/dev/null' })],
  ['a HOME that nobody may write to', (): NodeJS.ProcessEnv => ({ HOME: '/proc' })],
  ['a HOME that is not there', (rig: Rig): NodeJS.ProcessEnv => ({ HOME: rig.path('none') })],
  ['a cache that is a file', (rig: Rig): NodeJS.ProcessEnv => ({ XDG_CACHE_HOME: rig.write('file', '') })],
])('with %s a run is as ever', async (_, env) => {
  await using rig = createRig()
  expect(await rig.runWith(env(rig), RUN)).toMatchObject(ENDED)
  expect(fs.readdirSync(rig.directory).filter((name) => /cache|undefined/.test(name))).toEqual([])
})
