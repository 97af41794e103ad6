/** The person's own editor, on a file. */
import { OxbowError } from "../core/errors.ts";
import { splitWords } from "../core/words.ts";
import { runAttached } from "./process.ts";

/** `VISUAL`, else `EDITOR`, with its arguments. Throws usage (there is none), command_failed (it ended badly). */
export async function editFile(
  file: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const line = env["VISUAL"] || env["EDITOR"] || "";
  if (line.trim() === "")
    throw new OxbowError("usage", `There is no editor: ${file} is as it was.`, {
      hint: "Set VISUAL or EDITOR, or edit the file yourself.",
    });
  const [program = "", ...args] = splitWords(line);
  const code = await runAttached(program, [...args, file], { cwd, env });
  if (code === 0) return;
  const how = code === null ? "could not be run" : `ended with ${code}`;
  throw new OxbowError("command_failed", `The editor ${program} ${how}; what it saved is in ${file}.`, {
    hint: "Set VISUAL or EDITOR to a program that waits until you are done, such as `code --wait`.",
  });
}
