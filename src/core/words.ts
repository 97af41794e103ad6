/** A command line that a person gives Oxbow, as the words of an argv: POSIX quoting, nothing expanded, nothing that would need a shell. */
import { lex } from "./command/lex.ts";
import { OxbowError } from "./errors.ts";
import { quoted } from "./text.ts";

/**
 * `~` and `{…}` are ordinary text, since `{task}` and `{paths}` are filled in later. Throws command_invalid for what a
 * shell would interpret (operators, `$name`, backticks, newlines), an open quote, hidden characters, more than 8,192
 * bytes or 1,024 words, and an empty line.
 */
export function splitWords(line: string): string[] {
  const words = lex(line, { placeholders: true });
  if (!("code" in words)) return words.map((word) => word.text);
  if (words.at === null) throw new OxbowError("command_invalid", words.what);
  throw new OxbowError(
    "command_invalid",
    `The command contains ${words.what} at character ${words.at + 1}: ${quoted(line, 200)}.`,
    {
      hint: "No shell reads it. Put the text between single quotes, or start a shell yourself: sh -c '…'.",
    },
  );
}
