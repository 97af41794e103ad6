/** Whether a name that somebody gives means the repository that is served here. */
import { parseRemoteUrl } from "./remote-url.ts";

/** `root` is absolute; `urls` are those of its remotes. A URL, a path, or a name (`shop`, `acme/shop`) may be given. */
export function isServed(
  wanted: string,
  { root, urls }: { readonly root: string; readonly urls: readonly string[] },
): boolean {
  const asked = plain(wanted);
  if (asked === "") return false;
  if (asked === plain(root)) return true;
  const remotes = urls.map(identityOf);
  if (remotes.includes(identityOf(wanted))) return true;
  if (/[:\\]/.test(asked) || asked.startsWith("/")) return false;
  const names = [plain(root), ...remotes];
  return names.some((name) => name === asked || name.endsWith(`/${asked}`));
}

function plain(text: string): string {
  return text
    .trim()
    .replace(/\/+$/, "")
    .replace(/\.git$/, "");
}

function identityOf(url: string): string {
  const parsed = parseRemoteUrl(url.trim());
  return "identity" in parsed ? parsed.identity : plain(url);
}
