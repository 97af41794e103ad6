import { hasCode, OxbowError } from "../core/errors.ts";
import { createMatcher } from "../core/ownership.ts";

/** A glob of a tool call as a test; null matches everything. Throws tool_input for a glob that makes no sense. */
export function matcherFor(glob: string | undefined): ((path: string) => boolean) | null {
  if (glob === undefined || glob === "") return null;
  try {
    return createMatcher([glob]);
  } catch (error) {
    if (!hasCode(error)) throw error;
    throw new OxbowError("tool_input", `The glob is not valid: ${error.message}`, { cause: error });
  }
}
