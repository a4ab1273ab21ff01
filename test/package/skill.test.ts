import fs from 'fs-extra'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { COMMAND_NAMES } from '../../src/config/command-names.ts'
import { createRig } from '../support/rig.ts'

const SKILL = join(import.meta.dirname, '../../examples/openclaw/cronwrap')
const PAGES = [
  'SKILL.md',
  ...['architecture', 'logging', 'state-schemas', 'troubleshooting'].map((name) => `references/${name}.md`),
]

/** What OpenClaw's own validator accepts at the top level. */
const KEYS = new Set(['name', 'description', 'license', 'allowed-tools', 'metadata', 'homepage', 'user-invocable'])

test('the skill has the frontmatter that OpenClaw accepts', () => {
  const [, frontmatter = ''] = /^---\n([^]*?)\n---\n/.exec(fs.readFileSync(join(SKILL, 'SKILL.md'), 'utf8')) ?? []
  const keys = [...frontmatter.matchAll(/^([\w-]+):/gm)].flatMap(([, key]) => key ?? [])
  expect(keys.filter((key) => !KEYS.has(key))).toEqual([])
  expect(frontmatter).toContain('name: cronwrap\n')
  const description = /^description: (.*)$/m.exec(frontmatter)?.[1] ?? ''
  expect(description.length).toBeGreaterThan(20)
  expect(description.length).toBeLessThan(160)
  expect(frontmatter.replaceAll(/\s+/g, ' ')).toMatch(/'requires': \{ 'bins': \['cronwrap'\] \}/)
})

test('every command and option of ours in the skill exists', async () => {
  await using rig = createRig()
  const helps = new Map<string, string>()
  const helpOf = async (command: string): Promise<string> => {
    const known = helps.get(command) ?? (await rig.run(command === '' ? ['--help'] : [command, '--help'])).stdout
    helps.set(command, known)
    return known
  }
  const texts = PAGES.map((page) => fs.readFileSync(join(SKILL, page), 'utf8').replaceAll('\\\n', ' '))
  const lines = texts.flatMap((text) =>
    [...text.matchAll(/(?:^|`|\$ )(?:\S*\/)?cronwrap ([^`\n]*)/gm)].map(([, rest]) => rest ?? ''),
  )
  expect(lines.length).toBeGreaterThan(20)
  for (const line of lines) {
    const ours = line.split(/ -- | --$/)[0] ?? ''
    const [first = ''] = ours.split(' ')
    const command = COMMAND_NAMES.includes(first) && first !== 'run' ? first : ''
    const help = await helpOf(command)
    for (const [option] of ours.matchAll(/--[a-z][a-z-]*/g)) expect(help, `cronwrap ${line}`).toContain(option)
  }
})

test('its pages lead to each other', () => {
  const text = fs.readFileSync(join(SKILL, 'SKILL.md'), 'utf8')
  for (const page of PAGES.slice(1)) expect(text).toContain(page)
})
