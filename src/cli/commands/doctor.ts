import { parseId } from '../../config/job-id.ts'
import { CronwrapError, errnoOf, messageOf } from '../../errors.ts'
import { diagnose, type Diagnosis } from '../../doctor/doctor.ts'
import type { Finding } from '../../doctor/finding.ts'
import { printable } from '../../record/outcome-text.ts'
import { JSON_FLAG, type Command, type CommandInput } from '../command.ts'
import { reportError } from '../report-error.ts'
import { createColors, print, printJson } from '../output.ts'

const HEALTHY = 0
const FINDINGS = 1
const COULD_NOT_LOOK = 2

export const doctorCommand: Command = {
  name: 'doctor',
  usage: '[job]',
  description:
    'Look for what is wrong, and say what it means and what to do; exits 0 healthy, 1 findings, 2 could not look',
  flags: new Map([
    ['json', JSON_FLAG],
    ['fix', { takesValue: false, description: 'Mend what can be mended here, and say what was done' }],
  ]),
  examples: ['cronwrap doctor', 'cronwrap doctor water-reminder'],
  positionals: [0, 1],
  async run(input) {
    const { home, flags, positionals, now } = input
    const job = positionals[0] === undefined ? null : parseId(positionals[0])
    try {
      const diagnosis = await diagnose(home, job, now, process.env)
      const fixed = flags.get('fix') === 'true' ? await applyFixes(diagnosis.findings) : new Map<Finding, string>()
      const left = diagnosis.findings.filter((finding) => finding.severity !== 'note' && !fixed.has(finding))
      show(input, diagnosis, fixed, left.length === 0)
      return left.length === 0 ? HEALTHY : FINDINGS
    } catch (error) {
      if (!(error instanceof CronwrapError) && errnoOf(error) === undefined) throw error
      reportError(error, { json: flags.get('json') === 'true' })
      return COULD_NOT_LOOK
    }
  },
}

async function applyFixes(findings: readonly Finding[]): Promise<Map<Finding, string>> {
  const fixed = new Map<Finding, string>()
  for (const finding of findings) {
    if (finding.fix === undefined) continue
    try {
      await finding.fix.apply()
      fixed.set(finding, finding.fix.says)
    } catch (error) {
      process.stderr.write(`cronwrap: ${finding.id} could not be mended: ${messageOf(error)}\n`)
    }
  }
  return fixed
}

function show(
  { flags }: CommandInput,
  { findings, looked }: Diagnosis,
  fixed: ReadonlyMap<Finding, string>,
  healthy: boolean,
): void {
  if (flags.get('json') === 'true') {
    const shown = findings.map((finding) => {
      const { id, severity, job, seen, means, next } = finding
      return { id, severity, job, seen, means, next, fixed: fixed.get(finding) ?? null }
    })
    printJson({ healthy, findings: shown, looked_at: looked })
    return
  }
  for (const finding of findings) print(describe(finding, fixed.get(finding)))
  if (healthy) print(`healthy; looked at: ${looked.join(', ')}`)
  else if (fixed.size === 0 && findings.some(({ fix }) => fix !== undefined))
    print('cronwrap doctor --fix mends what can be mended here')
}

function describe(finding: Finding, done: string | undefined): string {
  const colors = createColors()
  const mark = { error: colors.red('✗'), warning: colors.yellow('!'), note: colors.dim('-') }[finding.severity]
  const name = finding.job === null ? '' : `${printable(finding.job)}: `
  return [
    `${mark} ${name}${printable(finding.seen)} [${finding.id}]`,
    `  means: ${printable(finding.means)}`,
    done === undefined ? `  next:  ${printable(finding.next)}` : `  fixed: ${printable(done)}`,
  ].join('\n')
}
