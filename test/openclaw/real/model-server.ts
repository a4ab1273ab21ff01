import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const MODEL_ID = 'scripted'

/** A job's message: what it asks for, and how the model that reads it will behave. */
export interface ModelScript {
  readonly command: string
  /** Whether it runs the command. */
  readonly obeys: boolean
  /** What it answers in the end, whatever happened. */
  readonly says: string
}

export interface ModelServer extends AsyncDisposable {
  readonly baseUrl: string
}

interface Message {
  readonly role: string
  readonly content?: string | readonly { readonly text?: string }[] | null
}

interface Answer {
  readonly content: string | null
  readonly exec: string | null
}

/** A message as a user would write it, and the script: OpenClaw passes both on to the model. */
export function messageFor({ command, ...behaviour }: ModelScript): string {
  return `Run this with the exec tool and report: \`${command}\`\n\nscript: ${JSON.stringify(behaviour)}`
}

function scriptIn(messages: readonly Message[]): ModelScript | null {
  const text = messages
    .filter(({ role }) => role === 'user')
    .map(textOf)
    .join('\n')
  const found = /exec tool and report: `([^`]*)`\s+script: (\{.*\})/.exec(text)
  if (found === null) return null
  const behaviour = JSON.parse(found[2] ?? '') as Omit<ModelScript, 'command'>
  return { command: found[1] ?? '', ...behaviour }
}

/** Answers like an OpenAI-compatible server, but says what the message tells it to. */
export async function startModelServer(): Promise<ModelServer> {
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'GET') {
    sendJson(response, { object: 'list', data: [{ id: MODEL_ID, object: 'model', owned_by: 'cronwrap' }] })
    return
  }
  const body = JSON.parse(await bodyOf(request)) as { messages: Message[]; stream?: boolean }
  const next = nextAnswer(body.messages)
  if (body.stream === true) sendStream(response, next)
  else sendJson(response, completion(next))
}

/**
 * A result anywhere ends the script: OpenClaw adds a user message of its own after it, and a
 * model that looks at the last message only would call again for ever.
 */
function nextAnswer(messages: readonly Message[]): Answer {
  const script = scriptIn(messages)
  const isDone = messages.some(({ role }) => role === 'tool')
  if (script?.obeys === true && !isDone) return { content: null, exec: script.command }
  return { content: script?.says ?? 'NO_REPLY', exec: null }
}

function textOf({ content }: Message): string {
  if (typeof content === 'string') return content
  return (content ?? []).map(({ text }) => text ?? '').join('\n')
}

function toolCalls(command: string): object[] {
  const call = { name: 'exec', arguments: JSON.stringify({ command }) }
  return [{ index: 0, id: 'call_1', type: 'function', function: call }]
}

function messageOf({ content, exec }: Answer): object {
  return { role: 'assistant', content, ...(exec === null ? {} : { tool_calls: toolCalls(exec) }) }
}

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }

function completion(next: Answer): object {
  const choice = { index: 0, message: messageOf(next), finish_reason: finishReason(next) }
  return { ...envelope('chat.completion'), choices: [choice], usage: USAGE }
}

function sendStream(response: ServerResponse, next: Answer): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (chunk: object): void => {
    response.write(`data: ${JSON.stringify({ ...envelope('chat.completion.chunk'), ...chunk })}\n\n`)
  }
  send({ choices: [{ index: 0, delta: messageOf(next), finish_reason: null }] })
  send({ choices: [{ index: 0, delta: {}, finish_reason: finishReason(next) }] })
  send({ choices: [], usage: USAGE })
  response.end('data: [DONE]\n\n')
}

function envelope(object: string): object {
  return { id: 'chatcmpl-scripted', object, created: Math.floor(Date.now() / 1000), model: MODEL_ID }
}

function finishReason({ exec }: Answer): string {
  return exec === null ? 'stop' : 'tool_calls'
}

function sendJson(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
