import fs from 'fs-extra'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { follow, look } from '../../src/state/generation.ts'
import { loadDailyState } from '../../src/state/daily-state.ts'
import { deleteState, listStates, placeOf, readState, updateState, writeState } from '../../src/state/state-store.ts'
import { createRig, kill, until, type RawProcess, type Rig } from '../support/rig.ts'

const ROOT = join(import.meta.dirname, '../..')

/** `state/counter.json` counted up by other processes, each printing the total it was told was written. */
function workers(rig: Rig): { node: (times: number) => RawProcess; python: (times: number) => RawProcess } {
  const node = rig.write(
    'count.mjs',
    `import { updateState } from ${JSON.stringify(join(ROOT, 'dist/index.js'))}
for (let i = 0; i < Number(process.argv[2]); i++) {
  let total
  const done = await updateState('counter', (state) => ({ total: (total = (state?.total ?? 0) + 1) }))
  if (done) process.stdout.write(total + '\\n')
}`,
  )
  const python = rig.write(
    'count.py',
    `import sys
sys.path.insert(0, ${JSON.stringify(join(ROOT, 'examples/python'))})
from state_tool import update_state
for _ in range(int(sys.argv[1])):
    told = []
    def count(state):
        told.append((state or {"total": 0})["total"] + 1)
        return {"total": told[-1]}
    if update_state("counter", count):
        print(told[-1], flush=True)
`,
  )
  return {
    node: (times) => rig.spawn(process.execPath, [node, String(times)]),
    python: (times) => rig.spawn('python3', [python, String(times)]),
  }
}

const acknowledged = async (running: readonly RawProcess[]): Promise<number[]> =>
  (await Promise.all(running)).flatMap(({ stdout }) =>
    Buffer.from(stdout).toString().trim().split('\n').filter(Boolean).map(Number),
  )

/** Reads without pause; every look must find a whole state that is not older than the one before. */
function watch(rig: Rig): () => Promise<number> {
  let stopped = false
  let looks = 0
  const watching = (async () => {
    let last = 0
    while (!stopped) {
      if (fs.existsSync(placeOf(rig.home, 'counter').file)) {
        const { total } = JSON.parse(fs.readFileSync(placeOf(rig.home, 'counter').file, 'utf8')) as { total: number }
        if (total < last) throw new Error(`the total went back from ${last} to ${total}`)
        last = total
      }
      looks += 1
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  return async () => {
    stopped = true
    await watching
    return looks
  }
}

const totalOf = (rig: Rig): number => (fs.readJsonSync(placeOf(rig.home, 'counter').file) as { total: number }).total

test('1,000 increments from 20 processes, half Node and half Python, are 1,000, and readers never see a step back', async () => {
  await using rig = createRig()
  const { node, python } = workers(rig)
  const stop = watch(rig)
  const told = await acknowledged(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? node(50) : python(50))))
  expect(await stop()).toBeGreaterThan(100)
  expect(totalOf(rig)).toBe(1000)
  expect(told.sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1))
  expect(fs.readdirSync(rig.home.state)).toEqual(['.counter', 'counter.json'])
  expect(fs.readdirSync(placeOf(rig.home, 'counter').directory).filter((name) => name.startsWith('new-'))).toEqual([])
})

test('a thief that removes every lock loses nobody an update', async () => {
  await using rig = createRig()
  const { node, python } = workers(rig)
  const stop = watch(rig)
  const thief = setInterval(
    () => fs.rmSync(`${placeOf(rig.home, 'counter').file}.lock`, { recursive: true, force: true }),
    3,
  )
  await acknowledged(Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? node(20) : python(20))))
  clearInterval(thief)
  await stop()
  expect(totalOf(rig)).toBe(240)
})

test('a writer killed at any moment leaves the old or the new value, and no acknowledged one is lost', async () => {
  await using rig = createRig()
  const { node, python } = workers(rig)
  const stop = watch(rig)
  let most = 0
  let count = 0
  for (let round = 0; round < 75; round++) {
    const running = Array.from({ length: 4 }, (_, index) => (index % 2 === 0 ? node(10_000) : python(10_000)))
    const before = fs.existsSync(placeOf(rig.home, 'counter').file) ? totalOf(rig) : 0
    await until('somebody counts', () => totalOf(rig) > before + 4)
    for (const child of running) kill(child.pid ?? 0, 'SIGKILL')
    // It would keep the next ones for 10 s; that is tested with the holder that is stopped.
    fs.rmSync(`${placeOf(rig.home, 'counter').file}.lock`, { recursive: true, force: true })
    const told = await acknowledged(running)
    count += told.length
    most = Math.max(most, ...told)
  }
  await stop()
  expect(totalOf(rig)).toBeGreaterThanOrEqual(most)
  // At most one update per killed writer was made and not acknowledged.
  expect(totalOf(rig) - count).toBeLessThanOrEqual(300)
  expect(totalOf(rig)).toBeGreaterThanOrEqual(count)
  fs.rmSync(`${placeOf(rig.home, 'counter').file}.lock`, { recursive: true, force: true })
  await acknowledged([node(1)])
  expect(fs.readdirSync(rig.home.state).sort()).toEqual(['.counter', 'counter.json'])
  expect(fs.readdirSync(placeOf(rig.home, 'counter').directory).filter((name) => name.startsWith('new-'))).toEqual([])
}, 240_000)

test('a holder that is stopped for longer than its lock lives loses no update when it goes on', async () => {
  await using rig = createRig()
  const script = rig.write(
    'hold.mjs',
    `import { updateState } from ${JSON.stringify(join(ROOT, 'dist/index.js'))}
import fs from 'node:fs'
await updateState('counter', async (state) => {
  fs.appendFileSync('seen', (state?.total ?? 0) + '\\n')
  while (!fs.existsSync('go')) await new Promise((resolve) => setTimeout(resolve, 20))
  return { total: (state?.total ?? 0) + 1 }
})`,
  )
  const holder = rig.spawn(process.execPath, [script])
  await until('it holds the lock', () => fs.existsSync(rig.path('seen')))
  kill(holder.pid ?? 0, 'SIGSTOP')
  const old = new Date(Date.now() - 60_000)
  fs.utimesSync(`${placeOf(rig.home, 'counter').file}.lock`, old, old)
  await acknowledged([workers(rig).node(5), workers(rig).python(5)])
  expect(totalOf(rig)).toBe(10)
  rig.write('go', '')
  kill(holder.pid ?? 0, 'SIGCONT')
  expect((await holder).exitCode).toBe(0)
  expect(totalOf(rig)).toBe(11)
  expect(fs.readFileSync(rig.path('seen'), 'utf8')).toBe('0\n10\n')
})

test('of writers that saw the same value one is followed, however late the others come', async () => {
  await using rig = createRig()
  fs.ensureDirSync(rig.home.state)
  const place = placeOf(rig.home, 'race')
  const json = (text: string): Buffer => Buffer.from(`{"by": "${text}"}`)
  const nothing = look(place)
  expect(follow(place, nothing, json('a'))).toBe(true)
  expect(follow(place, nothing, json('late'))).toBe(false)
  const a = look(place)
  expect(follow(place, a, json('b'))).toBe(true)
  expect(follow(place, a, json('late'))).toBe(false)
  // Somebody else writes the file without us.
  fs.writeFileSync(`${place.file}.other`, json('other'))
  fs.renameSync(`${place.file}.other`, place.file)
  const other = look(place)
  expect(follow(place, other, json('c'))).toBe(true)
  expect(follow(place, other, json('late'))).toBe(false)
  const c = look(place)
  expect(follow(place, c, null)).toBe(true)
  expect(follow(place, c, json('late'))).toBe(false)
  expect(look(place).content).toBeNull()
  const gone = look(place)
  expect(follow(place, nothing, json('very late'))).toBe(false)
  expect(follow(place, gone, json('d'))).toBe(true)
  expect(follow(place, gone, json('late'))).toBe(false)
  fs.removeSync(place.file)
  expect(follow(place, look(place), json('e'))).toBe(true)
  expect(fs.readFileSync(place.file, 'utf8')).toBe('{"by": "e"}')
})

test('what a stopped writer left half done is finished by the next one that looks', async () => {
  await using rig = createRig()
  await writeState('half', { value: 1 }, { home: rig.home.base })
  const place = placeOf(rig.home, 'half')
  const seen = look(place)
  // A claim whose writer was stopped before it carried anything out.
  const claim = join(place.directory, seen.id, 'next')
  fs.ensureDirSync(join(claim, 'self'))
  fs.writeFileSync(join(claim, 'value'), '{"value": 2}')
  const stat = fs.statSync(join(claim, 'value'), { bigint: true })
  fs.writeFileSync(join(claim, `is-${stat.ino}-${stat.mtimeNs}`), '')
  await updateState('half', (state) => ({ value: Number(state?.['value']) + 1 }), { home: rig.home.base })
  expect(await readState('half', { home: rig.home.base })).toEqual({ value: 3 })
})

test('reads degrade to null and writes to false, with a line in the log; strict throws', async () => {
  await using rig = createRig()
  const home = rig.home.base
  fs.outputFileSync(placeOf(rig.home, 'torn').file, '{"half')
  expect(await readState('torn', { home })).toBeNull()
  await expect(readState('torn', { home, strict: true })).rejects.toThrow('state torn cannot be read')
  expect(await readState('none', { home, strict: true })).toBeNull()
  fs.removeSync(rig.home.state)
  fs.writeFileSync(rig.home.state, '')
  expect(await writeState('x', {}, { home })).toBe(false)
  await expect(writeState('x', {}, { home, strict: true })).rejects.toThrow('state x cannot be written')
  const log = fs.readFileSync(join(rig.home.logs, 'cronwrap.log'), 'utf8')
  expect(log).toMatch(/^\S+ state torn cannot be read: .*\n\S+ state x cannot be written: .*\n$/)
})

test('fn may leave the state alone or throw, and nothing is written', async () => {
  await using rig = createRig()
  const home = rig.home.base
  await writeState('kept', { a: 1 }, { home })
  const before = fs.statSync(placeOf(rig.home, 'kept').file).ino
  expect(await updateState('kept', () => undefined, { home })).toBe(true)
  await expect(updateState('kept', () => Promise.reject(new Error('mine')), { home })).rejects.toThrow('mine')
  await expect(writeState('kept', [1] as never, { home })).rejects.toThrow('a state is a JSON object')
  await expect(writeState('kept', { big: 1n }, { home })).rejects.toThrow('cannot be written as JSON')
  expect(fs.statSync(placeOf(rig.home, 'kept').file).ino).toBe(before)
})

test.each(['../x', 'a/b', '', 'x'.repeat(300), 'nul\0', '.hidden'])('%j names no state', async (name) => {
  await using rig = createRig()
  const options = { home: rig.home.base }
  await expect(readState(name, options)).rejects.toThrow('cannot name a state')
  await expect(writeState(name, {}, options)).rejects.toThrow('cannot name a state')
  await expect(deleteState(name, options)).rejects.toThrow('cannot name a state')
  expect(fs.existsSync(rig.home.base)).toBe(false)
})

test('large, deep and odd values are kept or refused with a reason', async () => {
  await using rig = createRig()
  const home = rig.home.base
  expect(await writeState('large', { text: 'x'.repeat(20 * 1024 * 1024) }, { home })).toBe(true)
  expect(String((await readState('large', { home }))?.['text']).length).toBe(20 * 1024 * 1024)
  await expect(writeState('huge', { text: 'x'.repeat(65 * 1024 * 1024) }, { home })).rejects.toThrow('at most')
  let deep: object = {}
  for (let level = 0; level < 10_000; level++) deep = { deep }
  const kept = await writeState('deep', deep as Record<string, unknown>, { home }).catch((error: unknown) =>
    String(error),
  )
  if (kept === true) expect(await readState('deep', { home, strict: true })).toEqual(deep)
  else expect(kept).toMatch(/cannot be written as JSON|at most 64MiB/)
  fs.writeFileSync(placeOf(rig.home, 'odd').file, '\uFEFF{"a": 1, "a": 2, "__proto__": {"x": 1}}')
  const odd = await readState('odd', { home })
  expect(odd?.['a']).toBe(2)
  expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  expect(listStates({ home })).toContain('odd')
})

test('a day begins anew in its time zone, the old one is kept for a while', async () => {
  await using rig = createRig()
  const options = (iso: string) => ({ home: rig.home.base, timeZone: 'Asia/Shanghai', keepDays: 2, now: new Date(iso) })
  expect(await loadDailyState('water', { total: 0 }, options('2026-05-26T15:59:00Z'))).toEqual({
    total: 0,
    date: '2026-05-26',
  })
  await updateState('water', (state) => ({ ...state, total: 300 }), { home: rig.home.base })
  expect(await loadDailyState('water', { total: 0 }, options('2026-05-26T15:59:59Z'))).toMatchObject({ total: 300 })
  expect(await loadDailyState('water', { total: 0 }, options('2026-05-26T16:00:00Z'))).toEqual({
    total: 0,
    date: '2026-05-27',
  })
  const archived = join(rig.home.state, 'archive', 'water.2026-05-26.json')
  expect(fs.readJsonSync(archived)).toEqual({ total: 300, date: '2026-05-26' })
  await loadDailyState('water', { total: 0 }, options('2026-05-30T16:00:00Z'))
  expect(fs.existsSync(archived)).toBe(false)
  const job = { ...options('2026-06-30T00:00:00Z'), env: { CRONWRAP_RUN_ID: 'x' } }
  expect(await loadDailyState('water', { total: 0 }, job)).toEqual({ total: 0, date: '2026-06-30' })
  expect((await readState('water', { home: rig.home.base }))?.['date']).toBe('2026-05-31')
})
