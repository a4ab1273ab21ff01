import { parseId } from '../../config/job-id.ts'
import { CronwrapError } from '../../errors.ts'
import { mirrorDelivery } from '../../openclaw/mirror-delivery.ts'
import { recordDelivery, parseDeliveryStatus } from '../../record/record-delivery.ts'
import { JSON_FLAG, type Command, type CommandInput } from '../command.ts'
import { followUpOutsideRuns } from '../follow-up.ts'
import { printJson } from '../output.ts'

const HINT = 'cronwrap delivery <job> <message-id> [status], or cronwrap delivery --from-openclaw <job>'

/** Records that a job's message was sent, or was not. Prints nothing: its output may be forwarded too. */
export const deliveryCommand: Command = {
  name: 'delivery',
  usage: '<job> <message-id> [status]',
  description: "Record that a job's message was sent (default), delivered, failed or skipped",
  flags: new Map([
    ['error', { takesValue: true, placeholder: '<text>', description: 'Why it failed' }],
    ['channel', { takesValue: true, placeholder: '<name>', description: 'Where it was sent' }],
    [
      'run',
      {
        takesValue: true,
        placeholder: '<run-id>',
        description: 'The run it belongs to (default: the latest that ended)',
      },
    ],
    [
      'from-openclaw',
      { takesValue: false, description: 'Record what OpenClaw says of the delivery: <job> alone, no message id' },
    ],
    ['json', { ...JSON_FLAG, description: 'Print what was recorded' }],
  ]),
  examples: [
    'cronwrap delivery water-reminder 1032',
    'cronwrap delivery --from-openclaw water-reminder',
    'cronwrap delivery water-reminder 1033 failed --error "bot was blocked"',
  ],
  positionals: [1, 3],
  notifies: true,
  async run(input) {
    const { home, flags, positionals } = input
    if (flags.get('from-openclaw') === 'true') return mirror(input)
    const [job = '', messageId, status] = positionals
    if (messageId === undefined)
      throw new CronwrapError('USAGE', 'usage: cronwrap delivery <job> <message-id> [status]', { hint: HINT })
    const [error, channel, runId] = [flags.get('error'), flags.get('channel'), flags.get('run')]
    const result = await recordDelivery({
      home: home.base,
      job,
      messageId,
      ...(status === undefined ? {} : { status: parseDeliveryStatus(status) }),
      ...(error === undefined ? {} : { error }),
      ...(channel === undefined ? {} : { channel }),
      ...(runId === undefined ? {} : { runId }),
    })
    await followUpOutsideRuns(home)
    if (flags.get('json') === 'true')
      printJson({ job, message_id: messageId, run_id: result.runId, recorded: result.recorded })
    return 0
  },
}

/** Silent when it recorded something; why it did not is said on stderr, with exit code 1. */
async function mirror({ home, flags, positionals: [job = '', ...more] }: CommandInput): Promise<number> {
  if (more.length > 0 || ['error', 'channel', 'run'].some((name) => flags.has(name)))
    throw new CronwrapError('USAGE', '--from-openclaw takes the job alone', { hint: HINT })
  const { status, messageId, runId, reason } = await mirrorDelivery(home, parseId(job))
  if (flags.get('json') === 'true')
    printJson({ job, message_id: messageId, status, run_id: runId, recorded: reason === null, reason })
  else if (reason !== null) process.stderr.write(`cronwrap: nothing was recorded: ${reason}\n`)
  return reason === null ? 0 : 1
}
