import fs from 'fs-extra'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRig, type RawResult } from '../support/rig.ts'

const ROOT = join(import.meta.dirname, '../..')
const text = (result: RawResult): string => Buffer.from(result.stdout).toString()

test('the packed tarball holds what a user needs, and installs and runs in an empty folder', async () => {
  await using rig = createRig()
  const pack = await rig.spawn('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', rig.directory], {
    cwd: ROOT,
  })
  const [{ filename, files }] = JSON.parse(text(pack)) as [{ filename: string; files: Array<{ path: string }> }]
  const folders = new Set(files.map(({ path }) => path.split('/')[0]))
  expect([...folders].sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'bin',
    'dist',
    'examples',
    'package.json',
  ])
  expect(files.filter(({ path }) => /\.test\.|(?<!\.d)\.ts$|meta\.json/.test(path))).toEqual([])

  fs.mkdirSync(rig.path('empty'))
  const cwd = rig.path('empty')
  const install = await rig.spawn(
    'npm',
    ['install', '--offline', '--no-audit', '--no-fund', join(rig.directory, filename)],
    { cwd },
  )
  expect(install.exitCode, text(install)).toBe(0)
  expect(fs.readdirSync(join(cwd, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['cronwrap'])
  const run = await rig.spawn('node_modules/.bin/cronwrap', ['--', 'sh', '-c', 'echo packed; exit 3'], { cwd })
  expect({ code: run.exitCode, out: text(run) }).toEqual({ code: 3, out: 'packed\n' })
  expect(text(await rig.spawn('node_modules/.bin/cronwrap', ['status'], { cwd }))).toContain('failed (exit 3)')

  const example = /^```js\n([^]*?)^```$/m.exec(fs.readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1] ?? ''
  fs.writeFileSync(join(cwd, 'example.mjs'), example)
  expect(text(await rig.spawn(process.execPath, ['example.mjs'], { cwd }))).toBe('0 exit sent 0\n')
})

test('the types that are published check in a consumer', async () => {
  await using rig = createRig()
  const folder = rig.path('node_modules/cronwrap')
  fs.copySync(join(ROOT, 'dist/types'), join(folder, 'dist/types'))
  fs.copySync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  fs.copySync(join(ROOT, 'node_modules/@types/node'), rig.path('node_modules/@types/node'))
  fs.copySync(join(ROOT, 'node_modules/undici-types'), rig.path('node_modules/undici-types'))
  rig.write(
    'use.mts',
    `import { runJob, getSummary, type RunResult } from 'cronwrap'
const result: RunResult = await runJob({ command: ['true'], timeoutMs: 1000 })
const streak: number | undefined = getSummary()['x']?.consecutive_errors
// @ts-expect-error a mode that does not exist
await runJob({ command: ['true'], overlap: 'sometimes' })
export { result, streak }
`,
  )
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const check = await rig.spawn(process.execPath, [
    tsc,
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--types',
    'node',
    'use.mts',
  ])
  expect(text(check)).toBe('')
  expect(check.exitCode).toBe(0)
})
