/**
 * The cron lines a team file may hold: five fields, or six with the seconds first. A part of what the scheduler's library
 * reads, checked here so that an error has its place in the file before anything runs.
 */

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly words: readonly string[];
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const LONGEST_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const SECOND: Field = { name: "second", min: 0, max: 59, words: [] };
const DAY_OF_MONTH: Field = { name: "day of the month", min: 1, max: 31, words: [] };
const MONTH: Field = { name: "month", min: 1, max: 12, words: MONTHS };
const DAY_OF_WEEK: Field = { name: "day of the week", min: 0, max: 7, words: DAYS };
const FIELDS: readonly Field[] = [
  { name: "minute", min: 0, max: 59, words: [] },
  { name: "hour", min: 0, max: 23, words: [] },
  DAY_OF_MONTH,
  MONTH,
  DAY_OF_WEEK,
];
const NICKNAMES = /^@(?:hourly|daily|weekly|monthly|yearly|annually)$/i;

/** What is wrong with a cron line, in words; null when nothing is. */
export function cronProblem(line: string): string | null {
  const text = line.trim();
  if (NICKNAMES.test(text)) return null;
  const parts = text.split(/\s+/);
  if (text.startsWith("@"))
    return `${text} is no cron line; there are @hourly, @daily, @weekly, @monthly and @yearly`;
  if (parts.length !== 5 && parts.length !== 6)
    return `a cron line has 5 fields (minute, hour, day of the month, month, day of the week), or 6 with the seconds first; this has ${parts.length}`;
  const fields = parts.length === 6 ? [SECOND, ...FIELDS] : FIELDS;
  for (const [i, field] of fields.entries()) {
    const problem = fieldProblem(field, parts[i] ?? "");
    if (problem !== null) return problem;
  }
  const [days = "", months = "", weekday = ""] = parts.slice(-3);
  return comes(days, months, weekday)
    ? null
    : `there is no day ${days} in the month ${months}: it never comes`;
}

function fieldProblem(field: Field, part: string): string | null {
  for (const item of part.split(",")) {
    const problem = itemProblem(field, item);
    if (problem !== null) return `${field.name}: ${problem}`;
  }
  return null;
}

function itemProblem(field: Field, item: string): string | null {
  if (item === "") return "a value is missing";
  if (field === DAY_OF_MONTH && item.toUpperCase() === "L") return null;
  const [, day, nth] = (field === DAY_OF_WEEK && /^([^#]+)#([1-5])$/.exec(item)) || [];
  if (day !== undefined && nth !== undefined) return valueProblem(field, day);
  const [range = "", step, more] = item.split("/");
  if (more !== undefined || range === "") return `"${item}" is not understood`;
  const [from = "", to, beyond] = range.split("-");
  if (beyond !== undefined) return `"${item}" is not understood`;
  if (step !== undefined) {
    if (range !== "*" && to === undefined) return `"${item}": a step follows * or a range, such as */${step}`;
    const most = field.max - field.min + (field === DAY_OF_WEEK ? 0 : 1);
    if (!/^\d{1,2}$/.test(step) || Number(step) < 1 || Number(step) > most)
      return `the step ${step} is not within 1 to ${most}`;
  }
  if (range === "*") return null;
  const problem = valueProblem(field, from) ?? (to === undefined ? null : valueProblem(field, to));
  if (problem !== null || to === undefined) return problem;
  // Sunday ends a week as well as it begins one.
  const last = to.toUpperCase() === "SUN" ? 7 : numberOf(field, to);
  return numberOf(field, from) <= last ? null : `"${range}" runs backwards; write it as two ranges`;
}

function valueProblem(field: Field, value: string): string | null {
  const number = numberOf(field, value);
  if (Number.isNaN(number))
    return `"${value}" is not understood${field.words.length > 0 ? `; write a number, or ${field.words.slice(0, 2).join(", ")} …` : ""}`;
  return number >= field.min && number <= field.max
    ? null
    : `${value} is not within ${field.min} to ${field.max}`;
}

function numberOf(field: Field, value: string): number {
  const word = field.words.indexOf(value.toUpperCase());
  if (word >= 0) return word + field.min;
  return /^\d{1,2}$/.test(value) ? Number(value) : Number.NaN;
}

/** A day of the week makes every month do; else one of the months must be long enough for one of the days. */
function comes(days: string, months: string, weekday: string): boolean {
  if (weekday !== "*" || days.toUpperCase().includes("L")) return true;
  const first = Math.min(...days.split(",").map((item) => firstOf(DAY_OF_MONTH, item)));
  return months.split(",").some((item) => {
    const { from, to, step } = rangeOf(MONTH, item);
    for (let month = from; month <= to; month += step) {
      if ((LONGEST_MONTH[month - 1] ?? 0) >= first) return true;
    }
    return false;
  });
}

function firstOf(field: Field, item: string): number {
  return rangeOf(field, item).from;
}

function rangeOf(field: Field, item: string): { from: number; to: number; step: number } {
  const [range = "", step = "1"] = item.split("/");
  if (range === "*") return { from: field.min, to: field.max, step: Number(step) };
  const [from = "", to = from] = range.split("-");
  return { from: numberOf(field, from), to: numberOf(field, to), step: Number(step) };
}
