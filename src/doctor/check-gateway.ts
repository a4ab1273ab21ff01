import type { OpenclawView } from '../openclaw/openclaw-view.ts'
import type { Finding } from './finding.ts'
import { listProcessTexts } from './process-texts.ts'

const GATEWAY = /^\S*(?:node\S*\s+\S*)?openclaw\S*\s*(?:.*\s)?gateway\b|^openclaw-gateway/

/** An answer alone proves that the gateway lives: a process may hang, and an exit code says nothing. */
export function checkGateway(view: OpenclawView | null): Finding[] {
  if (view === null || view.silence === null) return []
  const common = { severity: 'error', job: null } as const
  if (!/gateway|ECONNREFUSED|timed out/i.test(view.silence)) {
    const means = 'whether OpenClaw agrees with what is on record here cannot be seen'
    return [
      {
        ...common,
        id: 'openclaw-silent',
        seen: `OpenClaw could not be asked: ${view.silence}`,
        means,
        next: 'openclaw cron list --all',
      },
    ]
  }
  const isRunning = listProcessTexts().some((text) => GATEWAY.test(text))
  const seen = isRunning ? 'the OpenClaw gateway runs and does not answer' : 'no OpenClaw gateway is running'
  const means = `no OpenClaw job runs, and none of its alerts is sent (${view.silence})`
  return [
    {
      ...common,
      id: 'gateway-down',
      seen,
      means,
      next: isRunning ? 'openclaw gateway restart' : 'openclaw gateway status',
    },
  ]
}
