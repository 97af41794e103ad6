/** A request that is not what is expected, in the form of SPEC C9: what is wrong, field by field. */
import { OxbowError } from "./errors.ts";

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

const FIELDS_SHOWN = 50;

/** `request_invalid` with `details: { fields: [{ field, issue }] }`. `what`: the query, the submission … */
export function requestInvalid(what: string, issues: readonly Issue[]): OxbowError {
  const fields = issues
    .slice(0, FIELDS_SHOWN)
    .map(({ path, message }) => ({ field: path.map(String).join("."), issue: message }));
  const words = fields.map(({ field, issue }) => (field === "" ? issue : `${field}: ${issue}`));
  return new OxbowError(
    "request_invalid",
    `${what} is not what is expected. ${words.slice(0, 3).join("; ")}`,
    { details: { fields } },
  );
}
