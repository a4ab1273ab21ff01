import type { Family, Sample } from './metrics.ts'

/**
 * The families as one text that every consumer takes: OpenMetrics 1.0, `promtool check metrics`, and node_exporter's
 * textfile collector, which reads the older text format.
 *
 * The two formats name a counter differently in its TYPE line, OpenMetrics without `_total` and the older one with it,
 * and each refuses the other's. So a counter has HELP and no TYPE, which both read as a value of unknown type;
 * Prometheus' functions for counters do not ask for it. A family without samples is left out.
 */
export function formatMetrics(families: readonly Family[]): string {
  const lines = families.filter(({ samples }) => samples.length > 0).flatMap(formatFamily)
  // For the older format a comment.
  return [...lines, '# EOF', ''].join('\n')
}

function formatFamily({ name, type, help, samples }: Family): string[] {
  return [
    `# HELP ${name} ${help}`,
    ...(type === 'counter' ? [] : [`# TYPE ${name} ${type}`]),
    ...samples.map((sample) => formatSample(name, sample)),
  ]
}

function formatSample(name: string, { labels, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`)
  return `${name}{${pairs.join(',')}} ${value}`
}

function escape(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}
