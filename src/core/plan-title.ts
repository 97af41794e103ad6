/** A task in one line. */

const MOST_CHARS = 200;

/** The first line of what was asked, without the marks of a heading; cut at 200 characters. */
export function titleOf(task: string): string {
  const line = task.split("\n").find((each) => each.trim() !== "") ?? "";
  const characters = Array.from(line.replace(/^#+\s*/, "").trim());
  return characters.length <= MOST_CHARS
    ? characters.join("")
    : `${characters.slice(0, MOST_CHARS - 1).join("")}…`;
}
