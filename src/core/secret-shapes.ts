/** Secrets that show by their form: keys with a vendor's prefix, JWTs, headers, URL passwords, private keys. */

/** A half-open range of a text. */
export interface Span {
  readonly start: number;
  readonly end: number;
  /** What to put there instead of the plain mark. */
  readonly text?: string;
}

/**
 * Every repeat is over one class of characters, and a rule begins only where no character of that class stands before
 * it, so that no input is read more than a few times.
 */
const TOKENS: readonly RegExp[] = [
  // OpenAI, Anthropic, OpenRouter and others that copied the form
  /(?<![A-Za-z0-9])sk-(?:(?:proj|svcacct|admin|None|ant|or|live|test|lf)-[A-Za-z0-9_-]{8,}|[A-Za-z0-9]{20,}[A-Za-z0-9_-]*)/g,
  // Google
  /(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}|(?<![A-Za-z0-9])ya29\.[A-Za-z0-9_-]{20,}|(?<![A-Za-z0-9])(?:GOCSPX-[A-Za-z0-9_-]{20,}|1\/\/0[A-Za-z0-9_-]{30,})/g,
  // Oxbow's own
  /(?<![A-Za-z0-9])oxb_[0-9a-z]{10}_[A-Za-z0-9_-]{43}/g,
  // GitHub, GitLab
  /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|gl[a-z]{2,6}-[A-Za-z0-9_-]{20,}[A-Za-z0-9_.-]*)/g,
  // Slack
  /(?<![A-Za-z0-9])(?:xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,})|(?<=hooks\.slack\.com\/(?:services|workflows)\/)[A-Za-z0-9_/]{10,}/g,
  // Stripe
  /(?<![A-Za-z0-9])(?:[prs]k_(?:live|test)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=]{16,})/g,
  // npm, PyPI, Docker, Hugging Face, Groq, xAI, Replicate, Linear, DigitalOcean, Shopify, Databricks, Vault, SendGrid, age
  /(?<![A-Za-z0-9])(?:npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{20,}|dckr_pat_[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{30,}|lin_api_[A-Za-z0-9]{20,}|do[opr]_v1_[a-f0-9]{32,}|shp[a-z]{2}_[a-fA-F0-9]{32,}|dapi[a-f0-9]{32,}|hv[sbr]\.[A-Za-z0-9_-]{20,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|AGE-SECRET-KEY-1[A-Z0-9]{40,})/g,
  // Atlassian, Notion, Figma, Postman, Doppler, Sentry, Supabase, New Relic, Grafana, Perplexity, PlanetScale, Fly, RubyGems, Square, Heroku, Cloudflare
  /(?<![A-Za-z0-9])(?:AT(?:ATT|CTT|BB)[A-Za-z0-9_-]{24,}|ntn_[A-Za-z0-9]{40,}|figd_[A-Za-z0-9_-]{30,}|PMAK-[a-f0-9]{24}-[a-f0-9]{30,}|dp\.[a-z]{2,5}\.[A-Za-z0-9]{30,}|sntry[su]_[A-Za-z0-9_+/=-]{30,}|sbp_[a-f0-9]{30,}|NRAK-[A-Z0-9]{20,}|gl(?:sa|c)_[A-Za-z0-9_+/=-]{30,}|pplx-[A-Za-z0-9]{30,}|pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_-]{30,}|fm[12][a-z]?_[A-Za-z0-9_+/=-]{30,}|rubygems_[a-f0-9]{40,}|sq0[a-z]{3}-[A-Za-z0-9_-]{20,}|HRKU-[A-Za-z0-9_-]{30,}|v1\.0-[a-f0-9]{24}-[a-f0-9]{100,})/g,
  // Terraform, Twilio, Mailgun, Telegram, Discord
  /(?<![A-Za-z0-9])(?:[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,}|SK[a-f0-9]{32}(?![A-Za-z0-9])|key-[a-f0-9]{32}(?![A-Za-z0-9])|[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}|[MNO][A-Za-z0-9_-]{22,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,})/g,
  // AWS
  /(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])/g,
  // JSON web tokens
  /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]{8,}){0,2}/g,
];

/** Group 1 stays. */
const HEADERS: readonly RegExp[] = [
  /(?<![A-Za-z])(authorization[ \t]{0,4}[:=][ \t]{0,4}(?:bearer|basic|token|digest|apikey|negotiate)[ \t]{1,4})[^\s"'\\,;[]+/gi,
  // A scheme alone needs a value that is no word: “bearer certificates” and “basic authentication” are prose.
  /(?<![A-Za-z])((?:[Bb]earer|BEARER|[Bb]asic|BASIC)[ \t]{1,4})(?=[A-Za-z0-9._~+/=-]{0,200}(?:\d|=|[a-z][A-Z]))[A-Za-z0-9._~+/=-]{8,}/g,
  /(?<![A-Za-z])((?:set-)?cookie["']?[ \t]{0,4}:[ \t]{0,4}["']?)[^\s"'\\=;:[]{1,200}=[^\r\n"'\\]*/gi,
  // Signed URLs, XML, .netrc, programs' flags
  /([?&](?:sig|signature|x-(?:amz|goog)-signature)=)[^&\s"'<>\\]{8,}/gi,
  /(<[\w:.-]{0,60}(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|credentials?)>)[^<>\s"\\][^<>\r\n"\\]{0,1000}(?=<\/)/gi,
  /(\blogin[ \t]{1,4}[^\s"]{1,200}\s{1,4}password[ \t]{1,4})[^\s"'\\]+/g,
  /((?<![\w-])--?[a-z][\w-]{0,40}(?<=[-_](?:password|passwd|passphrase|secret|token|api-key|apikey|access-key))[ \t]{1,4})(?=[^\s"'\\]{0,200}[\d!@#%^&*])[^\s"'\\<>$(-][^\s"'\\]{3,}/gi,
  /((?<=\bcurl\b[^\r\n"\\;|&]{0,200}[ \t])(?:-u|--user)[ \t=]?'?[^\s:"'\\]{1,100}:)[^\s"'\\]+/g,
  // SQL
  /((?:\bPASSWORD|\b[Ww]ith password|\b(?:IDENTIFIED BY|[Ii]dentified by))[ \t]{1,4}')(?:[^'\r\n"\\]|'')+(?=')/g,
  // Docker's config.json
  /("auth"[ \t]{0,4}:[ \t]{0,4}")[A-Za-z0-9+/]{8,}={0,2}(?=")/g,
  /(:\/\/[^\s/?#:@"'<>\\]{0,256}:)[^\s/?#@"'<>\\]{1,512}(?=@)/g,
];

export function shapedSecrets(text: string): Span[] {
  const spans = privateKeys(text);
  for (const rule of TOKENS) {
    for (const match of text.matchAll(rule))
      spans.push({ start: match.index, end: match.index + match[0].length });
  }
  for (const rule of HEADERS) {
    for (const match of text.matchAll(rule)) {
      spans.push({ start: match.index + (match[1]?.length ?? 0), end: match.index + match[0].length });
    }
  }
  return spans;
}

const PRIVATE_KEY_BEGINS = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const PRIVATE_KEY_ENDS = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
/** No private key is longer; a beginning without an end so near is a mention, or cut off. */
const MAX_KEY = 16_384;
/** The lines of a key whose end is missing: its headers, full lines, a last one. `\n` may be written out. */
const KEY_LINES =
  /(?:(?:\\[rn]|\s)+[A-Z][A-Za-z-]{1,40}: [^\s"\\]{1,200})*(?:(?:\\[rn]|\s)+[A-Za-z0-9+/=]{16,})*(?:(?:\\[rn]|\s)+[A-Za-z0-9+/]{1,80}(?:={1,2}|(?=["']|(?:\\[rn]|\s){0,8}$)))?/y;

function privateKeys(text: string): Span[] {
  const spans: Span[] = [];
  let consumed = 0;
  for (const begin of text.matchAll(PRIVATE_KEY_BEGINS)) {
    if (begin.index < consumed) continue;
    const body = begin.index + begin[0].length;
    const end = keyEnd(text, body);
    if (end !== null) consumed = end;
    else {
      KEY_LINES.lastIndex = body;
      consumed = body + (KEY_LINES.exec(text)?.[0].length ?? 0);
    }
    spans.push({ start: begin.index, end: consumed });
  }
  return spans;
}

/** Where the key that begins before `body` ends, or null. It never reaches over a quote. */
function keyEnd(text: string, body: number): number | null {
  const quote = text.slice(body, body + MAX_KEY).search(/["]|-----BEGIN/);
  const near = text.slice(body, quote === -1 ? body + MAX_KEY : body + quote);
  const [end] = near.matchAll(PRIVATE_KEY_ENDS);
  return end === undefined ? null : body + end.index + end[0].length;
}

/**
 * Where the text up to `limit` may be cut between lines so that no private key is: before a key whose end has not come by
 * then, and before those that stay without end up to there. Reads the text once.
 */
export function cutOutsideKeys(text: string, limit: number): number {
  let cut = limit;
  for (const begin of [...text.slice(0, limit).matchAll(PRIVATE_KEY_BEGINS)].toReversed()) {
    if (cut === 0 || cut - begin.index > MAX_KEY + 256) return cut;
    if (begin.index >= cut) continue;
    if (keyEnd(text.slice(begin.index, cut), begin[0].length) !== null) return cut;
    cut = text.lastIndexOf("\n", begin.index) + 1;
  }
  return cut;
}
