/** The URL of the repository that a fleet's machines share: what is allowed, and when two of them mean the same one. */

export interface RemoteUrl {
  /** As Git is given it. */
  readonly url: string;
  /** The same for every way to write it: host and path. */
  readonly identity: string;
}

/** `user@host:path`, as Git and ssh write it. */
const SCP = /^(?:([\w.-]+)@)?([A-Za-z0-9][\w.-]*|\[[0-9a-fA-F:]+\]):(?!\/\/)(.+)$/;
const SCHEMES = new Set(["https:", "ssh:", "file:"]);
/** Nothing goes over a wire. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * https, ssh and file only (http to this very machine): `ext::` and the like would run programs. A password is refused, since the team file is read
 * by many. The text of a refusal names nothing that may be secret.
 */
export function parseRemoteUrl(text: string): RemoteUrl | { readonly refused: string } {
  if (text.startsWith("-") || /[\p{Cc}\s]/u.test(text)) return { refused: "is not a URL" };
  if (text.includes("::")) return { refused: "names a transport that would run a program" };
  const scp = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? null : SCP.exec(text);
  if (scp) {
    const [, , host = "", path = ""] = scp;
    return path.startsWith("-") ? { refused: "is not a URL" } : { url: text, identity: sameName(host, path) };
  }
  const parsed = URL.canParse(text) ? new URL(text) : null;
  const known =
    parsed?.protocol === "http:" ? LOOPBACK.test(parsed.hostname) : SCHEMES.has(parsed?.protocol ?? "");
  if (!parsed || !known) return { refused: "must be an https, ssh or file URL" };
  if (parsed.password !== "" || (/^https?:$/.test(parsed.protocol) && parsed.username !== ""))
    return { refused: "holds a password or token; give it with OXBOW_GIT_CREDENTIAL_HELPER" };
  if (/^-|%2d/i.test(parsed.hostname) || parsed.search !== "" || parsed.hash !== "")
    return { refused: "is not the URL of a repository" };
  const port = parsed.port === "" || parsed.port === "22" ? "" : `:${parsed.port}`;
  return { url: text, identity: sameName(`${parsed.hostname}${port}`, parsed.pathname) };
}

function sameName(host: string, path: string): string {
  const plain = path.replace(/^\/+|\/+$/g, "").replace(/\.git$/, "");
  return `${host.toLowerCase()}/${plain}`;
}
