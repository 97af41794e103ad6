/**
 * May this request go on? (SAFETY "Network".) A web page can make a browser send requests to this machine, and can make its
 * own name resolve to it (DNS rebinding); the Host and Origin that the browser adds give it away. Asked before
 * authentication, upgrade and body. Whether the token is right is for the authentication to say; here only whether one came.
 */
import { ORIGIN_CODES, type OriginCode } from "./errors.ts";
import { type IpAddress, ipRange, isInRange, isSameIp, parseIp } from "./ip-address.ts";
import { quoted } from "./text.ts";

export interface OriginRequest {
  /** The header as it came; several make it malformed. */
  readonly host?: string | null | undefined;
  readonly origin?: string | null | undefined;
  readonly token?: string | null | undefined;
}

export interface OriginOptions {
  /** The address listened on. Only a loopback address, or `localhost`, counts as loopback. */
  readonly bind: string;
  /** The port listened on. */
  readonly port: number;
  /** Other sites whose pages may call, such as `https://ui.example.com`; each exactly, `*` and `null` are none. */
  readonly allowedOrigins?: readonly string[] | undefined;
}

export interface OriginVerdict {
  readonly allowed: boolean;
  readonly code: OriginCode;
  readonly reason: string;
}

/** `port` is null where none is written. */
interface Authority {
  readonly name: string;
  readonly ip: IpAddress | null;
  readonly port: number | null;
}

const LOOPBACK = [ipRange("127.0.0.0/8"), ipRange("::1/128")];

/**
 * On loopback: Host must be `localhost`, `127.0.0.1`, `[::1]` or the bound address, with the port; no token is needed.
 * Elsewhere a server cannot know all its names (DNS, proxies, published ports): the token, which a page of another site
 * does not have, is what keeps strangers out, and Host must only be well-formed. An Origin, where there is one, is always
 * the server's own (that of Host) or on the list.
 */
export function checkOrigin(request: OriginRequest, options: OriginOptions): OriginVerdict {
  const { host, origin, token } = request;
  if (host === undefined || host === null) return refused("host_missing");
  const server = parseAuthority(host);
  if (server === null) return refused("host_malformed", `${quoted(host)} is not a host with its port.`);
  const isLocal = isLoopback(options.bind);
  const foreign = isLocal ? hostProblem(server, options, host) : null;
  if (foreign !== null) return foreign;
  if (origin !== undefined && origin !== null) {
    const found = originProblem(origin, server, isLocal, options.allowedOrigins ?? []);
    if (found !== null) return found;
  }
  if (!isLocal && (typeof token !== "string" || token.trim() === "")) return refused("token_missing");
  return { allowed: true, code: "ok", reason: ORIGIN_CODES.ok };
}

function refused(code: OriginCode, reason: string = ORIGIN_CODES[code]): OriginVerdict {
  return { allowed: false, code, reason };
}

function bindName(bind: string): string {
  return bind.toLowerCase().replace(/^\[(.*)\]$/, "$1");
}

/** Whether only this machine itself can reach what listens there. */
export function isLoopback(bind: string): boolean {
  const ip = parseIp(bindName(bind));
  return ip === null ? bindName(bind) === "localhost" : LOOPBACK.some((range) => isInRange(ip, range));
}

function hostProblem(server: Authority, options: OriginOptions, shown: string): OriginVerdict | null {
  const names = ["127.0.0.1", "::1", bindName(options.bind)].map(parseIp).filter((ip) => ip !== null);
  const { ip } = server;
  const isKnown = ip === null ? server.name === "localhost" : names.some((own) => isSameIp(own, ip));
  if (!isKnown) return refused("host_foreign", `${quoted(shown)} is not a name of this machine's loopback.`);
  if ((server.port ?? 80) === options.port) return null;
  return refused("host_port", `${quoted(shown)} does not name port ${options.port}.`);
}

/** `host`, `host:port`, `[v6]`, `[v6]:port`, and nothing else. A name loses its case and the dot of the root. */
function parseAuthority(text: string): Authority | null {
  const [, v6, other, digits] =
    /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,254}))(?::([1-9][0-9]{0,4}))?$/.exec(text) ?? [];
  const port = digits === undefined ? null : Number(digits);
  if (port !== null && port > 65_535) return null;
  if (v6 !== undefined) {
    const ip = parseIp(v6);
    return ip?.family === 6 ? { name: "", ip, port } : null;
  }
  if (other === undefined || /^\.|\.\./.test(other)) return null;
  const name = other.toLowerCase().replace(/\.$/, "");
  return { name, ip: parseIp(name), port };
}

function originProblem(
  origin: string,
  server: Authority,
  isLocal: boolean,
  allowed: readonly string[],
): OriginVerdict | null {
  if (origin.trim().toLowerCase() === "null") return refused("origin_null");
  const [, scheme, rest] = /^([A-Za-z][A-Za-z0-9+.-]{0,30}):\/\/([^/?#\s]{1,300})$/.exec(origin) ?? [];
  const page = rest === undefined ? null : parseAuthority(rest);
  if (scheme === undefined || page === null) {
    return refused("origin_malformed", `${quoted(origin)} is not a scheme, host and port.`);
  }
  if (isOwn(scheme.toLowerCase(), page, server, isLocal)) return null;
  if (allowed.some((entry) => normalised(entry) === normalised(origin))) return null;
  return refused("origin_foreign", `Pages of ${quoted(origin)} may not call this server.`);
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** The same site as Host names. Off loopback something in front may add TLS, so there either scheme may be ours. */
function isOwn(scheme: string, page: Authority, server: Authority, isLocal: boolean): boolean {
  const standard = Object.hasOwn(DEFAULT_PORTS, scheme) ? DEFAULT_PORTS[scheme] : undefined;
  if (standard === undefined || (isLocal && scheme !== "http")) return false;
  const isSameHost =
    page.ip === null || server.ip === null
      ? page.ip === server.ip && page.name === server.name
      : isSameIp(page.ip, server.ip);
  return isSameHost && (page.port ?? standard) === (server.port ?? standard);
}

/** An origin as browsers write it: lower case, no port where it is the scheme's own; an entry may end in `/`. */
function normalised(origin: string): string {
  const text = origin.trim().toLowerCase().replace(/\/$/, "");
  const [, scheme = "", rest = "", port = ""] = /^([a-z]+):\/\/(.*?)(?::([0-9]+))?$/.exec(text) ?? [];
  const isStandard = Object.hasOwn(DEFAULT_PORTS, scheme) && String(DEFAULT_PORTS[scheme]) === port;
  return isStandard ? `${scheme}://${rest}` : text;
}
