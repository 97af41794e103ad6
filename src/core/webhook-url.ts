/**
 * May a webhook be sent to this URL? (SAFETY "Network".) The caller resolves the host once, asks here, and connects to one
 * of the very addresses that were judged, without following redirects.
 */
import { WEBHOOK_CODES, type WebhookCode } from "./errors.ts";
import { type IpAddress, isSameIp, parseIp } from "./ip-address.ts";
import { type AddressCode, notPublic } from "./public-address.ts";
import { describeHidden, hiddenCharacter, quoted } from "./text.ts";

export interface WebhookOptions {
  /** Every address the host resolved to. */
  readonly addresses: readonly string[];
  /**
   * Also lets through this machine, private and shared networks and their names, for a receiver next door. Never lets
   * through: where clouds hand out credentials, link-local, multicast, hidden IPv4 and reserved addresses.
   */
  readonly allowPrivate?: boolean;
  /** Also lets http through where every address is this machine itself: nobody is between. */
  readonly allowLoopbackHttp?: boolean;
}

export interface WebhookVerdict {
  readonly allowed: boolean;
  readonly code: WebhookCode;
  readonly reason: string;
}

interface Problem {
  readonly code: WebhookCode;
  readonly reason: string;
}

const MAX_LENGTH = 2048;
/**
 * 443, and from 1024 up all but those that the Fetch standard blocks ("port blocking"), since other protocols live there.
 * Below 1024 no web server is expected but on 443.
 */
const BLOCKED_PORTS: ReadonlySet<number> = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
  10080,
]);
/** Names that only a private network or this machine answers (RFC 6761, 6762, 8375; `.internal`; habits of networks). */
const LOCAL_SUFFIXES = [
  "localhost",
  "localdomain",
  "local",
  "internal",
  "intranet",
  "private",
  "corp",
  "home",
  "lan",
  "home.arpa",
];
const OPENED: ReadonlySet<AddressCode> = new Set<AddressCode>(["loopback", "private", "shared"]);

export function checkWebhookUrl(url: string, options: WebhookOptions): WebhookVerdict {
  const allowPrivate = options.allowPrivate === true;
  const read = readUrl(url, options.allowLoopbackHttp === true);
  const found = "code" in read ? read : targetProblem(read, options.addresses, allowPrivate);
  return found === null
    ? { allowed: true, code: "ok", reason: WEBHOOK_CODES.ok }
    : { allowed: false, code: found.code, reason: found.reason };
}

function problem(code: WebhookCode, reason: string = WEBHOOK_CODES[code]): Problem {
  return { code, reason };
}

/** Nothing of the URL's path is repeated in a reason: it may be a secret. */
function readUrl(text: string, allowHttp: boolean): URL | Problem {
  if (typeof text !== "string") return problem("malformed");
  if (text.length > MAX_LENGTH) return problem("too_long");
  const hidden = hiddenCharacter(text);
  if (hidden !== null) return problem("hidden_character", `The URL contains ${describeHidden(hidden)}.`);
  const url = URL.parse(text);
  if (url === null) return problem("malformed", "It is not an absolute URL.");
  if (url.protocol !== "https:" && !(allowHttp && url.protocol === "http:")) return notHttps(url);
  // The parser forgives what others read differently: `https:a`, `https:\\a`, blanks, an escaped host.
  const [, authority] = /^https?:\/\/([^/?#]+)/i.exec(text) ?? [];
  if (authority === undefined || /[\\ ]/.test(text)) {
    return problem("malformed", "The URL must be written https://host/path, without blanks or backslashes.");
  }
  if (authority.includes("@") || url.username !== "" || url.password !== "") return problem("userinfo");
  if (authority.includes("%")) return problem("malformed", "The host is written with escapes.");
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  if (port !== 443 && (port < 1024 || BLOCKED_PORTS.has(port))) {
    return problem("port", `No webhook is sent to port ${port}; use 443, or one from 1024 up.`);
  }
  return url;
}

function notHttps(url: URL): Problem {
  const scheme = quoted(url.protocol.slice(0, -1), 20);
  return problem("not_https", `A webhook needs an https URL, not ${scheme}.`);
}

function targetProblem(url: URL, addresses: readonly string[], allowPrivate: boolean): Problem | null {
  const found = hostProblem(url.hostname, addresses, allowPrivate);
  if (found !== null || url.protocol === "https:") return found;
  const isHere = addresses.every((text) => {
    const address = parseIp(text);
    return address !== null && notPublic(address) === "loopback";
  });
  return isHere ? null : notHttps(url);
}

function hostProblem(host: string, addresses: readonly string[], allowPrivate: boolean): Problem | null {
  const literal = parseIp(host.replace(/^\[(.*)\]$/, "$1"));
  if (literal === null) {
    const found = nameProblem(host.replace(/\.$/, ""), allowPrivate);
    if (found !== null) return found;
  } else {
    const found = addressProblem(literal, host, allowPrivate);
    if (found !== null) return found;
  }
  if (!Array.isArray(addresses) || addresses.length === 0) {
    return problem("no_address", `${quoted(host)} has no address.`);
  }
  for (const text of addresses) {
    const address = typeof text === "string" ? parseIp(text) : null;
    if (address === null) return problem("bad_address", `${quoted(String(text))} is not a plain IP address.`);
    const found = addressProblem(address, text, allowPrivate);
    if (found !== null) return found;
    if (literal !== null && !isSameIp(literal, address)) {
      return problem("address_mismatch", `${quoted(host)} is an address, and ${quoted(text)} another one.`);
    }
  }
  return null;
}

function nameProblem(name: string, allowPrivate: boolean): Problem | null {
  const isName = name.length <= 253 && /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(name);
  if (!isName) return problem("malformed", `${quoted(name)} is not the name of a host.`);
  const isLocal =
    !name.includes(".") || LOCAL_SUFFIXES.some((suffix) => name === suffix || name.endsWith(`.${suffix}`));
  return isLocal && !allowPrivate
    ? problem("local_name", `${quoted(name)} is a name of this machine or of a private network.`)
    : null;
}

function addressProblem(address: IpAddress, shown: string, allowPrivate: boolean): Problem | null {
  const code = notPublic(address);
  if (code === null || (allowPrivate && OPENED.has(code))) return null;
  return problem(
    code,
    WEBHOOK_CODES[code].replace(/^An address/, () => shown),
  );
}
