/** Git's own ways to name things: revisions that contain paths, pathspecs with magic, formats that run a verifier. */
import { simpleMatcher } from "../glob-match.ts";
import { checkNames, checkOperand, isSecretName, type Place, type Refusal, refuseWord } from "./operand.ts";

/** Magic that only chooses among the repository's paths. */
const MAGIC = new Set(["top", "literal", "icase", "glob", "exclude"]);

/** `%G?` and its like run the signature's verifier, which the repository's configuration names. */
export function gitFormat(text: string): Refusal | null {
  return /%[-+ ]?G|signature/.test(text) ? refuseWord(text, "would run a signature's verifier") : null;
}

/** `HEAD~2`, `a..b`, `HEAD:src/a.ts`, `:0:a.ts`, `:/a message`. */
export function revision(text: string): Refusal | null {
  return afterColons(text) ?? checkNames(text.replace(/^\^/, ""));
}

/** Before `--`, Git takes a word for what it happens to be. */
export function revisionOrPath(text: string, place: Place): Refusal | null {
  if (/^:[/!^(]/.test(text)) return afterColons(text) ?? pathspec(text, place);
  return afterColons(text) ?? (text.startsWith("^") ? checkNames(text.slice(1)) : pathspec(text, place));
}

/** Of a comparison: `HEAD:src` names a whole folder, and could not be kept from showing the secrets in it. */
export function diffSide(text: string, place: Place): Refusal | null {
  const bad = revisionOrPath(text, place);
  if (bad !== null || !text.includes(":") || /^:[/!^(]/.test(text)) return bad;
  return refuseWord(text, "names a file of a commit; write the commits, and the path after --");
}

/** `1,5:file`, `:function:file`, `/from/,/to/:file`. */
export function lineRange(text: string, place: Place): Refusal | null {
  const file = text.split(":").at(-1) ?? "";
  return afterColons(text) ?? (text.includes(":") ? checkOperand(file, place) : null);
}

/** What follows each colon may be a path in a tree. */
function afterColons(text: string): Refusal | null {
  const parts = text.split(":").slice(1);
  if (parts.length > 8) return refuseWord(text, "has too many colons");
  for (const part of parts) {
    const bad = checkNames(part) ?? globProblem(part);
    if (bad !== null) return bad;
  }
  return null;
}

/** `src`, `'*.ts'`, `:!dist`, `:(exclude,glob)**` and so on; each must stay inside and aim at nothing secret. */
export function pathspec(text: string, place: Place): Refusal | null {
  const magic = readMagic(text);
  if (magic === null) return refuseWord(text, "has pathspec magic that is not safe");
  if (magic.excludes || magic.path === "") return text === "" ? checkOperand(text, place) : null;
  const from = magic.top ? { ...place, cwd: "" } : place;
  return checkOperand(magic.path, from) ?? globProblem(magic.path);
}

interface Magic {
  readonly path: string;
  readonly excludes: boolean;
  readonly top: boolean;
}

function readMagic(text: string): Magic | null {
  if (!text.startsWith(":")) return { path: text, excludes: false, top: false };
  const long = /^:\(([a-z,]*)\)(.*)$/.exec(text);
  if (long !== null) {
    const words = (long[1] ?? "").split(",").filter((word) => word !== "");
    if (!words.every((word) => MAGIC.has(word))) return null;
    return { path: long[2] ?? "", excludes: words.includes("exclude"), top: words.includes("top") };
  }
  const short = /^:([/!^]*):?(.*)$/.exec(text);
  const signs = short?.[1] ?? "";
  const rest = short?.[2] ?? "";
  if (/^[^A-Za-z0-9._/*?[-]/.test(rest)) return null;
  return { path: rest, excludes: /[!^]/.test(signs), top: signs.includes("/") };
}

const SECRETS = [".env", ".env.local", ".env.production", ".envrc"];

/** Git expands wildcards itself: one that says more than "everything" must not say `.env`. */
function globProblem(path: string): Refusal | null {
  if (!/[*?[]/.test(path)) return null;
  for (const name of path.split("/")) {
    if (!/[*?[]/.test(name) || /^\*+$/.test(name)) continue;
    const matches = simpleMatcher(name.toLowerCase());
    const aims =
      matches === null || name.split("*").some(isSecretName) || SECRETS.some((secret) => matches(secret));
    if (aims)
      return { code: "secret_file", reason: `The pattern "${name}" reaches files of secrets (.env).` };
  }
  return null;
}
