import { repair } from '../../record/repair.ts'
import { JSON_FLAG, type Command } from '../command.ts'
import { count, print, printJson } from '../output.ts'

export const repairCommand: Command = {
  name: 'repair',
  usage: '',
  description: 'Make the summary and the alerts again from the journal, and say what was found',
  flags: new Map([['json', JSON_FLAG]]),
  examples: ['cronwrap repair'],
  positionals: [0, 0],
  async run({ home, flags, now }) {
    const report = await repair(home, now)
    if (flags.get('json') === 'true') {
      printJson({
        segments: report.segments,
        events: report.events,
        skipped_lines: report.skippedLines,
        jobs: report.jobs,
        summary_was: report.summaryWas,
        lost_runs: report.lostRuns,
        removed_temporaries: report.removedTemporaries,
        problems: report.problems,
      })
      return 0
    }
    print(`journal: ${count(report.events, 'event')} in ${count(report.segments, 'segment')}`)
    if (report.skippedLines > 0)
      print(
        `journal: ${count(report.skippedLines, 'line')} could not be read and ${report.skippedLines === 1 ? 'was' : 'were'} passed over`,
      )
    print(`summary: was ${report.summaryWas}; now holds ${count(report.jobs, 'job')}`)
    for (const problem of report.problems) print(problem)
    for (const runId of report.lostRuns) print(`lost run recorded: ${runId}`)
    if (report.removedTemporaries > 0) print(`left-over temporary files removed: ${report.removedTemporaries}`)
    return 0
  },
}
