import { parseArgs } from 'node:util'
import { commandsOn, reasonsOf } from './cronwrap.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'
import { createWorld, type World } from './world.ts'

const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } })

/** One line for each scenario; what was wrong below it. */
async function main(): Promise<void> {
  const chosen = SCENARIOS.filter(({ name }) => name.includes(values.only))
  await using world = await createWorld()
  let failed = 0
  for (const scenario of chosen) if (!(await runOne(world, scenario))) failed += 1
  process.stdout.write(`${chosen.length - failed} passed, ${failed} failed\n`)
  process.exitCode = failed === 0 && chosen.length > 0 ? 0 : 1
}

async function runOne(world: World, { name, run, told }: Scenario): Promise<boolean> {
  const started = performance.now()
  const reasons = [
    ...(await reasonsOf(() => run(world, name))),
    ...(told === null ? [] : await commandsOn(world, name, told)),
  ]
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stdout.write(`${(reasons.length === 0 ? 'ok' : 'FAILED').padEnd(8)}${name.padEnd(40)}${seconds} s\n`)
  for (const reason of reasons) process.stdout.write(`        ${reason.replaceAll('\n', '\n        ')}\n`)
  return reasons.length === 0
}

await main()
