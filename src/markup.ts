/** Untrusted text in HTML, SVG and Markdown: shown as it is, never obeyed. */

/** Characters that turn a line around, hide in it or end it: shown by their number. Line breaks and tabs stay. */
const LYING =
  /[\u202A-\u202E\u2066-\u2069\u200E\u200F\u061C\u200B\u2028\u2029\uFEFF]|[^\P{Cc}\n\t]|[\uFFFE\uFFFF]/gu;

export function visible(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?/g, "\n")
    .replace(
      LYING,
      (char) => `\u27E8U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}\u27E9`,
    );
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
};

/** For text between tags and for values between double quotes. */
export function escaped(text: string): string {
  return visible(text).replace(/[&<>"'`]/g, (char) => ENTITIES[char] ?? char);
}

/** On one line, at most `most` characters long. */
export function oneLine(text: string, most: number): string {
  const characters = Array.from(text.replace(/\s+/g, " ").trim());
  return characters.length <= most ? characters.join("") : `${characters.slice(0, most - 1).join("")}…`;
}
