/** What Oxbow takes over from the user's own configuration, read once: it runs without that configuration. */
import { OxbowError } from "../core/errors.ts";
import { environment } from "../host/env.ts";
import type { Identity } from "./contract.ts";

export interface UserConfig {
  readonly identity: Identity;
  /** The remote that holds what a partial clone left out, or null. */
  readonly promisor: string | null;
  /** `commit.gpgSign`: the user wants every commit signed. */
  readonly signs: boolean;
  /** `core.sharedRepository`: who else may write what is written. */
  readonly shared: string | null;
  /** Names of the filter drivers (`lfs`). */
  readonly filters: readonly string[];
}

/** For `git config --get-regexp`. */
export const WANTED_KEYS = [
  "(user|committer)\\.(name|email)",
  "core\\.sharedrepository",
  "extensions\\.(partialclone|refstorage)",
  "remote\\..*\\.promisor",
  "commit\\.gpgsign",
  "filter\\..*\\.(clean|process)",
]
  .map((key) => `^${key}$`)
  .join("|");

/** `text` is the output of `git config -z`. Throws repository_unsupported. */
export function userConfig(text: string): UserConfig {
  const values = configValues(text);
  const format = values.get("extensions.refstorage");
  if (format !== undefined && format !== "files")
    throw unsupported("refstorage", `keeps its refs as ${format}`);
  const keys = [...values.keys()];
  const remote = keys.find((key) => key.endsWith(".promisor") && isTrue(values.get(key)));
  return {
    identity: identityFrom(values),
    promisor:
      values.get("extensions.partialclone") ?? remote?.slice("remote.".length, -".promisor".length) ?? null,
    signs: isTrue(values.get("commit.gpgsign")),
    shared: values.get("core.sharedrepository") ?? null,
    filters: [...new Set(keys.flatMap((key) => /^filter\.(.*)\.(?:clean|process)$/s.exec(key)?.[1] ?? []))],
  };
}

/** `why` completes a sentence that begins with the repository. */
export function unsupported(extension: string, why: string): OxbowError {
  return new OxbowError("repository_unsupported", `This repository ${why} (extensions.${extension}).`, {
    details: { extension },
    ...(extension === "refstorage"
      ? { hint: "Convert it with Git 2.46 or newer: git refs migrate --ref-format=files" }
      : {}),
  });
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(?:true|yes|on|1)?$/i.test(value);
}

/** `config -z` prints `key LF value NUL`, for a key without a value `key NUL` (true); a later value of a key wins. */
function configValues(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const record of text.split("\0")) {
    const at = record.indexOf("\n");
    if (at > 0) values.set(record.slice(0, at), record.slice(at + 1));
    else if (record !== "") values.set(record, "true");
  }
  return values;
}

/** As Git picks the committer; without a name and an address it is Oxbow. */
function identityFrom(values: ReadonlyMap<string, string>): Identity {
  const outer = environment();
  const pick = (variable: string, key: string): string =>
    plain(
      outer[`GIT_COMMITTER_${variable}`] ?? values.get(`committer.${key}`) ?? values.get(`user.${key}`) ?? "",
    );
  const name = pick("NAME", "name");
  const email = pick("EMAIL", "email").replaceAll(" ", "");
  return name === "" || email === "" ? { name: "Oxbow", email: "oxbow@localhost" } : { name, email };
}

/** Git itself drops these from names and addresses: they would end the line they stand in. */
export function plain(text: string): string {
  return text
    .replace(/[<>\p{Cc}\u2028\u2029]/gu, " ")
    .replace(/ {2,}/g, " ")
    .replace(/^[\s.,:;'"\\]+|[\s.,:;'"\\]+$/g, "");
}
