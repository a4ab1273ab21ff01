import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { homeAt } from '../../src/config/base-directory.ts'
import { messageOfStep } from '../../src/notify/message.ts'
import {
  refusalIn,
  signature,
  TEMPLATES,
  webhookRequest,
  type WebhookTemplate,
} from '../../src/notify/webhook-template.ts'

const NOW = new Date('2026-11-24T09:00:00Z')
const MESSAGE = messageOfStep(homeAt('/srv'), {
  id: 'backup/missed/1',
  job: 'backup',
  step: 'opened',
  time: NOW.toISOString(),
  alert: {
    kind: 'consecutive_failures',
    since: '2026-11-24T08:00:00Z',
    message: '3 consecutive failures',
    last_error: '磁盘已满 <full> & "more"',
    run_id: null,
    count: 3,
  },
})

function requestOf(template: WebhookTemplate, url = 'https://example.org/a/topic?key=1', secret: string | null = null) {
  const request = webhookRequest({ url, template, headers: { 'x-own': '1' }, secret, chatId: '-1001' }, MESSAGE, NOW)
  return { ...request, body: JSON.parse(request.body) as Record<string, unknown> }
}

test('each service gets the form it documents', () => {
  const text = `🔴 backup: 3 consecutive failures\n${MESSAGE.text}`
  expect(Object.fromEntries(TEMPLATES.map((name) => [name, requestOf(name).body]))).toEqual({
    json: JSON.parse(JSON.stringify(MESSAGE)) as unknown,
    slack: { text: text.replace('<full> &', '&lt;full&gt; &amp;') },
    discord: { content: text, allowed_mentions: { parse: [] } },
    feishu: { msg_type: 'text', content: { text } },
    dingtalk: { msgtype: 'text', text: { content: text } },
    wecom: { msgtype: 'text', text: { content: text } },
    ntfy: { topic: 'topic', title: MESSAGE.title, message: MESSAGE.text, priority: 5, tags: ['rotating_light'] },
    telegram: { chat_id: '-1001', text, disable_web_page_preview: true },
  })
  for (const name of TEMPLATES) expect(requestOf(name).headers).toMatchObject({ 'x-own': '1' })
  expect(requestOf('ntfy').url).toBe('https://example.org/a/?key=1')
  expect(requestOf('ntfy', 'https://ntfy.sh/topic').url).toBe('https://ntfy.sh/')
})

test('what services do not take is left out: half characters, too many bytes, calls to everybody', () => {
  const told = (text: string): Record<string, string> => {
    const message = { ...MESSAGE, title: 'a', text }
    const target = (template: WebhookTemplate) => ({
      url: 'https://x/y',
      template,
      headers: {},
      secret: null,
      chatId: '1',
    })
    const bodyOf = (template: WebhookTemplate): string => webhookRequest(target(template), message, NOW).body
    return Object.fromEntries(TEMPLATES.map((name) => [name, bodyOf(name)]))
  }
  for (const text of [`x${'😀'.repeat(2000)}`, `xx${'😀'.repeat(2000)}`, '磁'.repeat(3000), 'x'.repeat(9000)]) {
    for (const [name, body] of Object.entries(told(text)))
      if (name !== 'json') expect(body, name).not.toContain('\\ud8')
    const { wecom = '', ntfy = '' } = told(text)
    const content = (JSON.parse(wecom) as { text: { content: string } }).text.content
    const { message } = JSON.parse(ntfy) as { message: string }
    for (const [sent, most] of [
      [content, 2048],
      [message, 4096],
    ] as const) {
      expect(Buffer.byteLength(sent)).toBeGreaterThan(most / 3)
      expect(Buffer.byteLength(sent)).toBeLessThanOrEqual(most)
      expect(sent).not.toContain('\ufffd')
    }
  }
  const { feishu, wecom, slack } = told('<at user_id="all">x</at> <@all> a < b <attic>')
  expect(feishu).toContain('<\u200bat user_id')
  expect(wecom).toContain('<\u200b@all> a < b <attic>')
  expect(slack).toContain('&lt;@all&gt;')
})

test('signatures are those that receivers compute', () => {
  // The example of the Standard Webhooks specification.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const signed = signature(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', '{"test": 2432232314}', new Date(1614265330_000))
  expect(signed['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  expect(requestOf('json', undefined, secret).headers['webhook-id']).toBe(MESSAGE.id)
  expect(requestOf('json').headers['webhook-signature']).toBeUndefined()

  const seconds = String(NOW.getTime() / 1000)
  const feishu = createHmac('sha256', `${seconds}\ns3cret`).update('').digest('base64')
  expect(requestOf('feishu', undefined, 's3cret').body).toMatchObject({ timestamp: seconds, sign: feishu })

  const dingtalk = new URL(requestOf('dingtalk', undefined, 's3cret').url).searchParams
  const sign = createHmac('sha256', 's3cret').update(`${NOW.getTime()}\ns3cret`).digest('base64')
  expect(Object.fromEntries(dingtalk)).toEqual({ key: '1', timestamp: String(NOW.getTime()), sign })
})

test.each([
  ['feishu', '{"code":0,"msg":"success"}', null],
  ['feishu', '{"StatusCode":0}', null],
  ['feishu', '{"code":19021,"msg":"sign match fail"}', '19021: sign match fail'],
  ['dingtalk', '{"errcode":310000,"errmsg":"keywords not in content"}', '310000: keywords not in content'],
  ['wecom', '{"errcode":0,"errmsg":"ok"}', null],
  ['telegram', '{"ok":true,"result":{}}', null],
  ['telegram', '{"ok":false,"error_code":403,"description":"bot was blocked"}', '403: bot was blocked'],
  ['telegram', '<html>', 'the answer is no JSON object'],
  ['wecom', 'null', 'the answer is no JSON object'],
  ['slack', 'ok', null],
  ['json', '', null],
] as const)('%s: what %s means', (template, answer, refusal) => {
  expect(refusalIn(template, answer)).toBe(refusal)
})

test.each([
  ['feishu', '{"code":0,"ms', null],
  ['dingtalk', '', null],
  ['telegram', '{"ok":false,"error_code":403,"description":"bot was blocked"}', '403: bot was blocked'],
] as const)('%s: what %s means when the rest never came', (template, answer, refusal) => {
  expect(refusalIn(template, answer, { isCut: true })).toBe(refusal)
})
