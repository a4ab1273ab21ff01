import fs from 'fs-extra'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { collectMetrics } from '../../src/metrics/metrics.ts'
import { EMPTY_ENTRY } from '../../src/record/summary-entry.ts'
import { createRig, finished } from '../support/rig.ts'
import { hasPromtool } from './reading.ts'

const folder = join(import.meta.dirname, '../../examples/monitoring')
const [rules, dashboard] = ['prometheus-alerts.yml', 'grafana-dashboard.json'].map((name) =>
  fs.readFileSync(join(folder, name), 'utf8'),
) as [string, string]
const { panels, templating, ...board } = JSON.parse(dashboard) as {
  panels: Array<{
    id: number
    targets: Array<{ expr: string }>
    gridPos: Record<'x' | 'y' | 'w' | 'h', number>
  }>
  templating: { list: Array<{ name: string }> }
  __inputs: Array<{ name: string }>
  id: null
}

test('every metric that they use is one of ours, and so is every kind and status', () => {
  const summary = new Map([['job', EMPTY_ENTRY]])
  const families = collectMetrics({ summary, running: [], alerts: [] }, { host: 'nas', version: '1', home: '/' })
  const labels = families.flatMap(({ samples }) => samples.map((sample) => sample.labels))
  for (const text of [rules, dashboard]) {
    const used = new Set([...text.matchAll(/\bcronwrap_\w+/g)].map(([name]) => name))
    expect(used.size).toBeGreaterThan(3)
    for (const name of used) expect(families.map((family) => family.name)).toContain(name)
    for (const [, label = '', choices = ''] of text.matchAll(/\b(kind|status)=~?\\?"([\w|]+)/g)) {
      for (const value of choices.split('|')) expect(labels.map((each) => each[label])).toContain(value)
    }
  }
})

test('the dashboard can be imported: one input, two variables, panels that do not overlap', () => {
  expect(board).toMatchObject({ __inputs: [{ name: 'DS_PROMETHEUS' }], id: null })
  expect(templating.list.map(({ name }) => name)).toEqual(['host', 'job'])
  const sources = [...dashboard.matchAll(/"uid": "(\$[^"]*)"/g)].map(([, uid]) => uid)
  expect(new Set(sources)).toEqual(new Set(['${DS_PROMETHEUS}']))
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)} ${y + Math.floor(cell / w)}`),
  )
  expect(new Set(cells).size).toBe(cells.length)
})

test('the commands that the alerts name exist, with their options', async () => {
  await using rig = createRig()
  const commands = [...rules.matchAll(/description: '.*: cronwrap (\w+) ?([^']*)'/g)]
  expect(commands).toHaveLength([...rules.matchAll(/- alert:/g)].length)
  const helps = new Map<string, string>()
  for (const [, name = '', rest = ''] of commands) {
    const help = helps.get(name) ?? (await rig.run([name, '--help'])).stdout
    helps.set(name, help)
    expect(help).toContain(`$ cronwrap ${name}`)
    for (const [option] of rest.matchAll(/(?<= |^)--?\w+/g)) expect(help, `${name} ${rest}`).toContain(option)
  }
})

test.skipIf(!hasPromtool)(
  'promtool takes the rules and the queries of the dashboard, and each alert fires when it should',
  async () => {
    await using rig = createRig()
    const record = panels
      .flatMap(({ targets }) => targets)
      .map(({ expr }, index) => ({
        record: `query:${index}`,
        expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, '.*'),
      }))
    const queries = rig.write('queries.yml', JSON.stringify({ groups: [{ name: 'queries', rules: record }] }))
    for (const words of [
      ['check', 'rules', join(folder, 'prometheus-alerts.yml')],
      ['check', 'rules', queries],
      ['test', 'rules', join(folder, 'prometheus-alerts.test.yml')],
    ]) {
      const { code, stdout, stderr } = finished(await rig.spawn('promtool', words))
      expect(code, stdout + stderr).toBe(0)
    }
    const tests = fs.readFileSync(join(folder, 'prometheus-alerts.test.yml'), 'utf8')
    for (const [, alert = ''] of rules.matchAll(/- alert: (\w+)/g)) expect(tests).toContain(`alertname: ${alert}\n`)
  },
)
