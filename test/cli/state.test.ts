import fs from 'fs-extra'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BIN, createRig, until } from '../support/rig.ts'

const ROOT = join(import.meta.dirname, '../..')

test('sets, reads, merges, patches, edits, lists and deletes', async () => {
  await using rig = createRig()
  const state = (...words: string[]) => rig.run(['state', ...words])
  expect(await state('set', 'water', '{"total": 0, "who": "小明"}')).toMatchObject({ code: 0, stdout: '', stderr: '' })
  expect((await state('get', 'water', '/total')).stdout).toBe('0\n')
  expect((await state('get', 'water', '/who', '--raw')).stdoutBytes.toString()).toBe('小明\n')
  await state('merge', 'water', '{"goal": 2000, "who": null}')
  await state(
    'edit',
    'water',
    '--',
    process.execPath,
    '-e',
    'let s="";process.stdin.on("data",d=>s+=d).on("end",()=>{const v=JSON.parse(s);v.total+=300;console.log(JSON.stringify(v))})',
  )
  expect(JSON.parse((await state('get', 'water')).stdout)).toEqual({ total: 300, goal: 2000 })
  await state(
    'patch',
    'water',
    '[{"op": "test", "path": "/total", "value": 300}, {"op": "replace", "path": "/total", "value": 600}]',
  )
  const conflict = await state(
    'patch',
    'water',
    '[{"op": "add", "path": "/x", "value": 1}, {"op": "test", "path": "/total", "value": 300}]',
  )
  expect(conflict.code).toBe(1)
  expect(conflict.stderr).toContain('operation 2 of the patch does not apply')
  expect(JSON.parse((await state('get', 'water')).stdout)).toEqual({ total: 600, goal: 2000 })
  expect((await state('list')).stdout).toBe('water\n')
  expect((await state('path', 'water')).stdout).toBe(`${join(rig.home.state, 'water.json')}\n`)
  expect((await state('get', 'water', '/none', '--default', '7')).stdout).toBe('7\n')
  await state('delete', 'water')
  expect((await state('get', 'water')).code).toBe(1)
  expect(
    (await rig.shell('echo \'{"from": "stdin"}\' | cronwrap state set piped -; cronwrap state get piped /from')).stdout,
  ).toBe('"stdin"\n')
})

test.each([
  [['set', 'x', '{'], 'this is not JSON'],
  [['set', 'x', '[1]'], 'a state is a JSON object'],
  [['set', '../x', '{}'], 'cannot name'],
  [['get', 'kept', 'nope'], 'is not a JSON pointer'],
  [['merge', 'kept'], 'a JSON merge patch is missing'],
  [['patch', 'kept', '{}'], 'a JSON patch is a list'],
  [['edit', 'kept'], 'there is no filter'],
  [['edit', 'kept', '--', 'false'], 'the filter failed'],
  [['edit', 'kept', '--', 'true'], 'the filter printed nothing'],
  [['edit', 'kept', '--', 'echo', 'no json'], 'the filter printed no JSON'],
  [['edit', 'kept', '--', 'no-such-program'], 'the filter failed'],
  [['frob', 'kept'], 'use one of get, set'],
])('state %j is refused and changes nothing', async (words, text) => {
  await using rig = createRig()
  await rig.run(['state', 'set', 'kept', '{"a": 1}'])
  const result = await rig.run(['state', ...words])
  expect(result.code).toBe(125)
  expect(result.stderr).toContain(text)
  expect((await rig.run(['state', 'get', 'kept', '/a'])).stdout).toBe('1\n')
  expect((await rig.run(['state', 'list'])).stdout).toBe('kept\n')
})

test('a wrapped job reads, and writes only when it was allowed to', async () => {
  await using rig = createRig()
  await rig.run(['state', 'set', 'water', '{"total": 1}'])
  const state = `"${process.execPath}" "${BIN}" state`
  const script = `${state} get water /total; ${state} set water '{}'; echo $?; ${state} edit water -- echo '{}'; echo $?; ${state} delete water; echo $?`
  const refused = await rig.run(['--', 'sh', '-c', script])
  expect(refused.stdout).toBe('1\n77\n77\n77\n')
  expect(refused.stderr).toContain('jobs only read state')
  expect(
    (await rig.run(['--allow-state-write', '--', 'sh', '-c', `${state} set water '{"total": 2}'; echo $?`])).stdout,
  ).toBe('0\n')
  expect((await rig.run(['state', 'get', 'water', '/total'])).stdout).toBe('2\n')
})

test('a schema keeps out what does not fit, and says where', async () => {
  await using rig = createRig()
  const schema = {
    type: 'object',
    properties: { total: { type: 'integer', minimum: 0 }, at: { type: 'string', format: 'date-time' } },
    required: ['total'],
  }
  fs.outputJsonSync(join(rig.home.state, 'schemas', 'water.schema.json'), schema)
  const bad = await rig.run(['state', 'set', 'water', '{"total": -1, "at": "noon"}'])
  expect(bad.code).toBe(125)
  expect(bad.stderr).toContain('/total must be >= 0')
  expect(bad.stderr).toContain('/at must match format "date-time"')
  expect((await rig.run(['state', 'set', 'water', '{"total": 1}'])).code).toBe(0)
  expect((await rig.run(['state', 'merge', 'water', '{"total": null}'])).code).toBe(125)
  rig.write('other.json', '{"$schema": "https://json-schema.org/draft/2020-12/schema", "required": ["name"]}')
  expect((await rig.run(['state', 'set', 'free', '{}', '--schema', rig.path('other.json')])).stderr).toContain(
    "must have required property 'name'",
  )
  expect((await rig.run(['state', 'set', 'free', '{}', '--schema', 'none.json'])).stderr).toContain('does not exist')
  expect((await rig.run(['state', 'list'])).stdout).toBe('water\n')
})

test('--daily begins a day, watch prints each change', async () => {
  await using rig = createRig()
  const day = await rig.run([
    'state',
    'get',
    'water',
    '/total',
    '--daily',
    '--initial',
    '{"total": 0}',
    '--tz',
    'Asia/Shanghai',
  ])
  expect(day.stdout).toBe('0\n')
  expect((await rig.run(['state', 'get', 'water', '--daily', '--tz', 'Mars/Olympus'])).stderr).toContain(
    'is not a time zone',
  )
  const watch = rig.start(['state', 'watch', 'water'])
  let seen = ''
  watch.stdout?.on('data', (chunk: Buffer) => (seen += chunk.toString()))
  await until('the present value', () => /^\{"total":0,"date":"[-\d]+"\}\n$/.test(seen))
  await rig.run(['state', 'merge', 'water', '{"total": 300}'])
  await until('the change', () => /\{"total":300,.*\}\n$/.test(seen))
  await rig.run(['state', 'delete', 'water'])
  await until('the deletion', () => seen.endsWith('null\n'))
  watch.kill('SIGTERM')
})

test('the hydration example runs from end to end', async () => {
  await using rig = createRig()
  const result = await rig.spawn('sh', [join(ROOT, 'examples/hydration/run.sh')])
  const shown = Buffer.from(result.stdout).toString()
  expect(result.exitCode).toBe(0)
  expect(shown).toContain('喝水提醒: 0 of 2000 ml so far')
  expect(shown).toContain('喝水提醒: 300 of 2000 ml so far')
  expect(shown).toMatch(/water-reminder +\S+ ?\S* +ok \(exit 0\) .* 2 ok +2 +sent\n$/)
})
