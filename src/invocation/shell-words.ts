import { basename } from 'node:path'

export interface Token {
  readonly kind: 'word' | 'operator'
  readonly text: string
}

const PARENTHESES = String.raw`\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)`
const QUOTED = String.raw`'[^']*'|"(?:\\[^]|\$${PARENTHESES}|\$(?!\()|[^"\\$])*"`
const SUBSTITUTED = String.raw`\$${PARENTHESES}|\$\{[^}]*\}|${'`[^`]*`'}`
const WORD = String.raw`(?:${QUOTED}|\\[^]|${SUBSTITUTED}|[^\s'"\\;&|()<>${'`'}])+`
const TOKEN = new RegExp(
  [
    String.raw`[ \t]+|\\\n|#[^\n]*`,
    // What is written or read where says nothing of what runs.
    String.raw`(?:\d*|&)(?:>>|>\||>&|<&|<>|<<<|>|<)[ \t]*${WORD}`,
    String.raw`(?<operator>&&|\|\||;;|\|&|[;&|()\n])`,
    `(?<word>${WORD})`,
  ].join('|'),
  'gy',
)

/** Null for a line whose quotes do not match, or that uses more of a shell than is known here. */
export function tokensOf(line: string): Token[] | null {
  const matches = [...line.matchAll(TOKEN)]
  const last = matches.at(-1)
  if ((last === undefined ? 0 : last.index + last[0].length) < line.length) return null
  return matches.flatMap(({ groups = {} }): Token[] => {
    if (groups['word'] !== undefined) return [{ kind: 'word', text: groups['word'] }]
    return groups['operator'] === undefined ? [] : [{ kind: 'operator', text: groups['operator'] }]
  })
}

const PIECE = new RegExp(String.raw`(?<quoted>${QUOTED})|\\(?<escaped>[^])|\$(?:\w+|\{\w+\})|${SUBSTITUTED}`, 'g')

/** A word without its quotes, and with the variables that are known. */
export function unquoted(word: string, variables: NodeJS.ProcessEnv): string {
  const valueOf = (text: string): string => variables[text.replace(/[${}]/g, '')] ?? text
  return word.replace(PIECE, (piece, quoted?: string, escaped?: string) => {
    if (escaped !== undefined) return escaped === '\n' ? '' : escaped
    // The shell makes several words of this one, or none.
    if (quoted === undefined) return /^$|\s/.test(valueOf(piece)) ? piece : valueOf(piece)
    if (quoted.startsWith("'")) return quoted.slice(1, -1)
    return quoted
      .slice(1, -1)
      .replace(/\\(["\\$`])|\$(?:\w+|\{\w+\})/g, (found, plain?: string) => plain ?? valueOf(found))
  })
}

/** Words as a shell splits them, as far as quotes and backslashes go; nothing is expanded. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/g)].map(([word]) =>
    word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, (_, double?: string, single?: string, escaped?: string) =>
      double === undefined ? (single ?? escaped ?? '') : double.replace(/\\(["\\$`])/g, '$1'),
    ),
  )
}

/** The line of `sh -c` or `/usr/bin/env bash -lc`; null for another command. */
export function shellLine(argv: readonly string[]): string | null {
  const words = basename(argv[0] ?? '') === 'env' ? argv.slice(1) : argv
  const isShell =
    words.length === 3 && /^(?:ba|da|z)?sh$/.test(basename(words[0] ?? '')) && /^-[a-z]*c$/.test(words[1] ?? '')
  return isShell ? (words[2] ?? '') : null
}

/** Whether a shell makes more of the line than words. */
export function needsShell(line: string): boolean {
  return /[;&|<>()$*?[\]{}~#!\n`]|^\s*\w+=|^\s*(?:exec|\.|source|cd|export|ulimit|umask|time|eval|command|set|if|for|while)\s/.test(
    line,
  )
}
