import { recordDelivery, parseDeliveryStatus } from '../../record/record-delivery.ts'
import { JSON_FLAG, type Command } from '../command.ts'
import { printJson } from '../output.ts'

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
    ['json', { ...JSON_FLAG, description: 'Print what was recorded' }],
  ]),
  examples: [
    'cronwrap delivery water-reminder 1032',
    'cronwrap delivery water-reminder 1033 failed --error "bot was blocked"',
  ],
  positionals: [2, 3],
  async run({ home, flags, positionals: [job = '', messageId = '', status] }) {
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
    if (flags.get('json') === 'true')
      printJson({ job, message_id: messageId, run_id: result.runId, recorded: result.recorded })
    return 0
  },
}
