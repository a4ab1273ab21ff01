import fs from 'fs-extra'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { COMMAND_NAMES } from '../../src/config/command-names.ts'
import { EMPTY_ENTRY } from '../../src/record/summary-entry.ts'
import { parseSummary } from '../../src/record/summary.ts'
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

test('it shows every key of the summary', () => {
  const page = fs.readFileSync(join(SKILL, 'references/state-schemas.md'), 'utf8')
  const example = JSON.parse(/```json\n([^]*?)```/.exec(page)?.[1] ?? '') as Record<string, object>
  const entry = Object.values(example)[0] ?? {}
  expect(Object.keys(entry).sort()).toEqual(Object.keys(EMPTY_ENTRY).sort())
  expect(parseSummary(example)).not.toBeNull()
  for (const key of Object.keys(EMPTY_ENTRY)) expect(page).toMatch(new RegExp(`^\\|[^|]*\`${key}\``, 'm'))
})

test('its pages lead to each other', () => {
  const text = fs.readFileSync(join(SKILL, 'SKILL.md'), 'utf8')
  for (const page of PAGES.slice(1)) expect(text).toContain(page)
})
