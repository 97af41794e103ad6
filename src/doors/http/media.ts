/** What a caller accepts, of what is offered (RFC 9110, 12.5.1). */
import { OxbowError } from "../../core/errors.ts";

export const JSON_TYPE = "application/json";

/** Ranges that are looked at; a longer list is cut. */
const MOST_RANGES = 32;

interface Range {
  readonly type: string;
  readonly quality: number;
}

/** The offered type that is wanted most; the first of equals, or where nothing is said. Throws not_acceptable. */
export function chosen(accept: string | undefined, offered: readonly string[]): string {
  const ranges = accept === undefined || accept.trim() === "" ? [] : parse(accept);
  const [first] = offered;
  if (ranges.length === 0 && first !== undefined) return first;
  const rated = offered.map((type) => ({ type, quality: qualityOf(type, ranges) }));
  const best = rated.reduce((a, b) => (b.quality > a.quality ? b : a), { type: "", quality: 0 });
  if (best.quality > 0) return best.type;
  throw new OxbowError("not_acceptable", `This is given as ${offered.join(", ")}.`);
}

function parse(accept: string): readonly Range[] {
  return accept
    .split(",")
    .slice(0, MOST_RANGES)
    .map((text) => {
      const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
      const given = parameters.find((each) => each.startsWith("q="))?.slice(2);
      const quality = given === undefined ? 1 : Number(given);
      return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
    })
    .filter(({ type }) => type !== "");
}

/** That of the range that names the type most exactly. */
function qualityOf(type: string, ranges: readonly Range[]): number {
  const [kind = ""] = type.split("/");
  for (const range of [type, `${kind}/*`, "*/*"]) {
    const found = ranges.find((each) => each.type === range);
    if (found) return found.quality;
  }
  return 0;
}
