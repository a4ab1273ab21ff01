/**
 * Makes dist/. The packages we use are bundled: that saves each run about 90 ms and the user an
 * install of other people's code. Their licences go along.
 *
 * `dist/cli/main.cjs` is all that a run needs, in one CommonJS file: measured on `cronwrap -- true`,
 * loading it as ESM costs 4 ms more, and in chunks that are imported late 10 ms more. Modules that the
 * source imports late are also evaluated late here. What not every run needs lies beside it.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild'

const root = join(import.meta.dirname, '..')
const require = createRequire(import.meta.url)
const { version } = require('../package.json') as { version: string }

const shared = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  metafile: true,
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  define: { CRONWRAP_VERSION: JSON.stringify(version) },
  alias: {
    // It gets its fs calls from us; graceful-fs would patch fs for everybody.
    'graceful-fs': 'node:fs',
    'signal-exit': './.build/shims/signal-exit.cjs',
  },
} satisfies BuildOptions

/** What not every run needs has a file of its own: each 10 kB in the one that runs jobs cost each run half a millisecond. */
const APART = ['cli/commands', 'cli/follow-up', 'job/overlap', 'job/ping']

const keptApart: Plugin = {
  name: 'kept-apart',
  setup(bundler) {
    const names = APART.map((path) => basename(path)).join('|')
    bundler.onResolve({ filter: new RegExp(String.raw`/(?:${names})\.ts$`) }, ({ path }) => ({
      path: `./${basename(path, '.ts')}.cjs`,
      external: true,
    }))
  },
}

/**
 * `import * as fs` becomes a copy of the module with a hundred getters, in each file that has one; in
 * CommonJS the module itself will do. Saves each run 3 ms.
 */
const builtinsUncopied: Plugin = {
  name: 'builtins-uncopied',
  setup(bundler) {
    bundler.initialOptions.write = false
    bundler.onEnd(({ outputFiles }) => {
      for (const { path, text } of outputFiles ?? []) {
        fs.mkdirSync(dirname(path), { recursive: true })
        const plain = text.replaceAll(/__toESM\(require\("(node:[a-z_/]+)"\)(?:,1)?\)/g, 'require("$1")')
        // bin/cronwrap.js tells by this line whether what it has compiled is of this text.
        fs.writeFileSync(path, `// ${createHash('sha256').update(plain).digest('hex')}\n${plain}`)
      }
    })
  },
}

fs.rmSync(join(root, 'dist'), { recursive: true, force: true })
const outputs = [
  await build({
    ...shared,
    format: 'cjs',
    entryPoints: ['src/cli/main.ts'],
    outfile: 'dist/cli/main.cjs',
    // What is compiled for later runs cannot import, only require.
    supported: { 'dynamic-import': false },
    plugins: [keptApart, builtinsUncopied],
  }),
  ...(await Promise.all(
    APART.map((path) =>
      build({ ...shared, format: 'cjs', entryPoints: [`src/${path}.ts`], outfile: `dist/cli/${basename(path)}.cjs` }),
    ),
  )),
  await build({
    ...shared,
    format: 'esm',
    splitting: true,
    entryPoints: ['src/index.ts'],
    outdir: 'dist',
    // CommonJS packages in an ESM bundle ask for Node's modules with require().
    banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
  }),
]
fs.writeFileSync(join(root, 'dist/LICENSES.txt'), licences(outputs.map(({ metafile }) => metafile)))
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.build/tsconfig.types.json'], {
  cwd: root,
  stdio: 'inherit',
})

function licences(metafiles: readonly Metafile[]): string {
  const folders = metafiles.flatMap(({ inputs }) =>
    Object.keys(inputs).flatMap((path) => /.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  )
  return [...new Set(folders)]
    .sort()
    .map(licenceOf)
    .join(`\n${'-'.repeat(80)}\n\n`)
}

function licenceOf(folder: string): string {
  const manifest = require(join(root, folder, 'package.json')) as { name: string; version: string; license: string }
  const file = fs.readdirSync(join(root, folder)).find((name) => /^licen[cs]e/i.test(name))
  const text = file === undefined ? manifest.license : fs.readFileSync(join(root, folder, file), 'utf8')
  return `${manifest.name} ${manifest.version}\n\n${text.trim()}\n`
}
