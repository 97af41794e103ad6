/** What an entry of `plugins:` names: a file of the repository, or an installed package. */
import { pathProblem, normalisePath } from "./paths.ts";

export type PluginName =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "package"; readonly name: string }
  | { readonly kind: "refused"; readonly why: string };

const MODULE = /\.[cm]?[jt]s$/;
/** A package's name, with a place in it at most. */
const PACKAGE = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*(?:\/[A-Za-z0-9._~-]+)*$/;

export function readPluginName(text: string): PluginName {
  if (/^\.{0,2}\//.test(text)) {
    const problem = pathProblem(text);
    if (problem !== null) return { kind: "refused", why: problem.reason };
    if (!MODULE.test(text))
      return { kind: "refused", why: "must end with .ts, .mts, .cts, .js, .mjs or .cjs" };
    return { kind: "file", path: normalisePath(text) };
  }
  if (MODULE.test(text) && !text.startsWith("@"))
    return { kind: "refused", why: `names a package; write ./${text} for the file` };
  if (!PACKAGE.test(text) || text.includes("/."))
    return { kind: "refused", why: "is neither a path that begins with ./ nor the name of a package" };
  return { kind: "package", name: text };
}
