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

/** What follows a name that promises a secret. */
function named(rest: string): SecretShape {
  return shape('pass secret token key pwd', new RegExp(NAME + rest, 'dgi'))
}

const NAME =
  '(?:passw(?:or)?d|passphrase|(?:(?<![a-z])|db)pass|(?<=[-_])pwd|secret|token|(?:api|access|account|auth|encryption|openai|private|secret|signing)[-_]?key|[-_]auth)(?![-_]?(?:file|path|url|uri|endpoint|type|name|count|reset|policy|id)s?\\b)(?:[-_][\\w-]{1,24}|\\[\\w{1,8}\\])?'
/** Inside JSON inside JSON a quote has a backslash. */
const QUOTE = '\\\\{0,2}["\']'
const NO_SECRET =
  '(?:null|none|undefined|true|false)(?=[\\s"\',;)}\\]\\\\]|$)|[a-z_.]+[([]|(?:self|this|cls|os|process|config|settings|env|args|kwargs)\\.[\\w.]+|[a-z_]+[,)](?=\\s|$)|\\d{1,3}(?=[\\s,;)}\\]]|$)|\\$[{(\\w]'
const QUOTED = `"((?:[^"\\\\\\n]|\\\\.)+)|'([^'\\n]+)`

/**
 * Tokens as their issuers document them, and values that stand where a secret stands. Prefixed tokens
 * after the lists of GitHub's and GitLab's secret scanning.
 */
export const KNOWN_SECRETS: readonly SecretShape[] = [
  shape('gh github_pat_', /\b(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255})/dg),
  shape('glpat- gldt- glrt- glcbt-', /\bgl(?:pat|dt|rt|cbt)-[\w-]{20,}/dg),
  shape('xox xapp-', /\b(?:xox[a-z]-|xapp-)[\w-]{10,}/dg),
  shape('akia asia', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/dg),
  shape('aiza ya29. gocspx-', /\b(?:AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})/dg),
  shape('sk- sk_ rk_ whsec_', /\b(?:sk-[\w-]{20,}|[rs]k_(?:live|test)_\w{16,}|whsec_[\w+/=]{16,})/dg),
  shape(
    'npm_ hf_ pypi- dckr_pat_ hvs. dop_v1_ shpat_ lin_api_ gsk_ ntn_',
    /\b(?:npm_[A-Za-z0-9]{36}\b|hf_[A-Za-z0-9]{30,}|pypi-[\w-]{50,}|dckr_pat_[\w-]{20,}|hvs\.[\w-]{20,}|dop_v1_\w{30,}|shpat_\w{30,}|lin_api_\w{30,}|gsk_\w{30,}|ntn_\w{30,})/dg,
  ),
  shape('sg.', /\bSG\.[\w-]{16,}\.[\w-]{16,}/dg),
  // A Telegram bot's token stands behind "bot" in its URLs.
  shape(':aa', /(?<!\d)\d{8,10}:AA[\w-]{33}(?![\w-])/dg),
  shape('eyj', /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*/dg),
  // Whatever stands between the two lines; where the end is missing, all that could be of a key.
  shape(
    '-----begin',
    /-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----((?:(?!-----BEGIN)[^]){1,65536}?)-----END [A-Z ]{0,40}PRIVATE KEY|-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----((?:\r?(?:\n|\\n)[A-Za-z0-9+/=]{1,80}(?=[\r\n\\]|$))+)/dg,
  ),
  shape(
    'authorization',
    /\bauthorization\\{0,2}["']?\s{0,4}[:=]\s{0,4}\\{0,2}["']?(?:(?:bearer|basic|token|bot)\s{1,4}([^\n"'\\]+)|((?:apikey|digest|negotiate|geniekey|aws4-hmac-sha256)\s[^\n"'\\]+)|([^\s"'\\]{8,}))/dgi,
  ),
  shape('cookie', /\b(?:set-)?cookie["']?\s{0,4}[:=]\s{0,4}["']?([^\n"']+)/dgi),
  shape('machine', /\bmachine\s+\S+\s+login\s+\S+\s+password\s+(\S+)/dg),
  shape('mysql', /\bmysql(?:dump|admin)?\b[^\n]{0,200}?\s-p([^\s"']+)/dg),
  // A client that cannot connect tells host and path apart.
  shape(
    '/services/t /webhooks/ /webhook/send /hook/',
    /\/services\/(T\w+\/B\w+\/\w+)|\/api\/webhooks\/(\d+\/[\w-]{20,})|\/webhook\/send\?key=([\w-]{16,})|\/bot\/v2\/hook\/([\w-]{16,})/dg,
  ),
  shape('bearer', /\bbearer\s{1,4}([\w.~+/=-]{16,})/dgi),
  shape('://', /:\/\/(?:[^\s:@/"'[]{0,128}:(?!\d{1,5}(?:[/?"'\s]|$))([^\s"'<>]{1,256})|([\w-]{20,256}))@/dg),
  shape('sig', /\b(?:sig|signature|x-amz-signature)=([\w%+/=-]{16,})/dgi),
  shape(
    '-u --user sshpass',
    /\b(?:curl|wget|http)\b[^\n]{0,300}?\s(?:-u|--user)[ =]["']?[^\s:"']+:([^\s"']+)|\bsshpass\s+-p\s?(\S+)/dg,
  ),
  shape('password> token> secret>', /<(?:password|token|secret)>([^<]+)/dgi),
  named(`[ \\t]{0,20}=(?!=)>?[ \\t]{0,20}(?:${QUOTED}|\\\\{0,2}["']?(?!${NO_SECRET})([^\\s"'&\\\\]+))`),
  // Prose has colons too: unquoted, the value must look like a secret or the line like a setting.
  named(
    `(?:${QUOTE})?[ \\t]{0,20}:[ \\t]{0,20}(?:${QUOTED}|\\\\{1,2}["']([^"'\\\\\\n]+)|(?=\\S*\\d)(?!${NO_SECRET})([^\\s"'\\\\,}\\]]{4,}))`,
  ),
  shape(
    'pass secret token key',
    new RegExp(`^[ \\t-]{0,20}[\\w-]{0,40}${NAME}:[ \\t]{1,20}(?!${NO_SECRET})([^\\s"'\\\\]+)[ \\t]*$`, 'dgim'),
  ),
  shape(
    'pass secret token key',
    new RegExp(`(?<![-\\w])--(?!no-|use-)[\\w-]{0,40}${NAME}\\s(?:${QUOTED}|(?!-)([^\\s"']+))`, 'dgi'),
  ),
]
