import { readSummary, sweepBeforeReading } from '../../record/read-records.ts'
import { formatSummary } from '../../record/summary.ts'
import { type Command } from '../command.ts'

/** The original's name for the raw summary. */
export const summaryCommand: Command = {
  name: 'summary',
  usage: '',
  description: 'Print the summary of all jobs as JSON, as in cron-summary.json',
  flags: new Map([['json', { takesValue: false, description: 'Print JSON, which it always does' }]]),
  examples: ['cronwrap summary'],
  positionals: [0, 0],
  async run({ home }) {
    await sweepBeforeReading(home)
    process.stdout.write(formatSummary(readSummary(home)))
    return 0
  },
}
