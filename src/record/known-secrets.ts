/** A kind of secret that is recognised by its shape. */
export interface SecretShape {
  /** Each match holds one of these, in small letters: without them the pattern need not be tried. */
  readonly hints: readonly string[]
  /** Of a pattern with groups only the groups are secret. Takes time in proportion to the text. */
  readonly pattern: RegExp
}

function shape(hints: string, pattern: RegExp): SecretShape {
  return { hints: hints.split(' '), pattern }
}

/**
 * Tokens as their issuers document them, and values that stand where a secret stands. Prefixed tokens
 * after the lists of GitHub's and GitLab's secret scanning.
 */
export const KNOWN_SECRETS: readonly SecretShape[] = [
  shape('gh github_pat_', /\b(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255})/dg),
  shape('glpat- gldt- glrt-', /\bgl(?:pat|dt|rt)-[\w-]{20,}/dg),
  shape('xox xapp-', /\b(?:xox[a-z]-|xapp-)[\w-]{10,}/dg),
  shape('hooks.slack.com', /hooks\.slack\.com\/(?:services|workflows)\/([\w/]{10,})/dg),
  shape('discord', /discord(?:app)?\.com\/api\/webhooks\/(\d+\/[\w-]{20,})/dg),
  shape('akia asia', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/dg),
  shape('aiza ya29.', /\b(?:AIza[\w-]{35}|ya29\.[\w-]{20,})/dg),
  shape('sk- sk_ rk_', /\b(?:sk-[\w-]{20,}|[rs]k_(?:live|test)_\w{16,})/dg),
  shape('npm_ hf_ pypi- dckr_pat_', /\b(?:npm_\w{36}|hf_\w{30,}|pypi-[\w-]{50,}|dckr_pat_[\w-]{20,})/dg),
  shape('sg.', /\bSG\.[\w-]{16,}\.[\w-]{16,}/dg),
  // A Telegram bot's token stands behind "bot" in its URLs.
  shape(':aa', /(?<!\d)\d{8,10}:AA[\w-]{33}(?![\w-])/dg),
  shape('eyj', /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/dg),
  // The part of a key that was kept may begin or end inside it; in JSON its line ends are written as \n.
  shape(
    'private key',
    /-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s\\:,]|-(?!---))*(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?|^[A-Za-z0-9+/=\s\\]*-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----/dg,
  ),
  shape(
    'authorization',
    /\bauthorization["']?\s{0,4}[:=]\s{0,4}["']?(?:(?:bearer|basic|token|bot)\s{1,4})?([^\s"']+)/dgi,
  ),
  shape('bearer', /\bbearer\s{1,4}([\w.~+/=-]{16,})/dgi),
  shape('://', /:\/\/[^\s:@/]{0,128}:([^\s@/]+)@/dg),
  // Not the code of a traceback: `token = read_token()` and `password=os.environ[…]` hold none.
  shape(
    'passw passphrase secret token key pwd',
    /(?:passw(?:or)?d|passphrase|secret|token|(?:api|access|auth|private|secret)[-_]?key|[-_]pwd)\\?["']?(?:\s{0,2}[:=]\s{0,2}|(?<=--[\w-]{1,40})\s)\\?["']?(?!(?:null|none|undefined|true|false)\b|[\w.]+[([])([^\s"',;&\\]{4,})/dgi,
  ),
]
