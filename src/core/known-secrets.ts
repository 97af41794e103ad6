/** Values that are known to be secret, in the forms in which they turn up: as they are, escaped, encoded. */

/** A shorter value occurs in ordinary text. */
const MIN_LENGTH = 4;
const MIN_ENCODED = 8;

/** One rule for all of them, the longest form first; null when there is nothing to look for. */
export function knownRule(known: readonly string[]): RegExp | null {
  const forms = new Set<string>();
  for (const value of known) {
    if (value.trim().length < MIN_LENGTH) continue;
    for (const form of formsOf(value)) forms.add(form);
  }
  if (forms.size === 0) return null;
  const sorted = [...forms].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
  return new RegExp(sorted.map((form) => literally(form)).join("|"), "g");
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

function formsOf(value: string): readonly string[] {
  const bytes = new TextEncoder().encode(value.toWellFormed());
  const json = jsonEscaped(value);
  const url = encodeURIComponent(value.toWellFormed());
  const escaped = [
    value,
    json,
    jsonEscaped(json),
    json.replaceAll("/", "\\/"),
    url,
    lowerHex(url),
    url.replaceAll("%20", "+"),
  ];
  const encoded = [...base64Forms(bytes), hex(bytes), hex(bytes).toUpperCase()];
  return [...escaped, ...encoded.filter((form) => form.length >= MIN_ENCODED)];
}

function jsonEscaped(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

function lowerHex(url: string): string {
  return url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The characters that are sure whatever stands before and after the value in the encoded text, at each alignment. */
function base64Forms(bytes: Uint8Array): readonly string[] {
  const forms: string[] = [];
  for (const before of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(before), bytes]);
    const sureFrom = Math.ceil((before * 8) / 6);
    const sureTo = Math.floor((padded.length * 8) / 6);
    forms.push(
      padded.toString("base64").slice(sureFrom, sureTo),
      padded.toString("base64url").slice(sureFrom, sureTo),
    );
  }
  forms.push(Buffer.from(bytes).toString("base64"));
  return forms;
}
