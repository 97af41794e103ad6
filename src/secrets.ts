/** What is known to be secret here, beside what shows by its form: keys, passwords in URLs, and variables named like one. */
import type { EventBody } from "./core/events.ts";
import { createRedactor, type Redactor } from "./core/redact.ts";
import { environment } from "./host/env.ts";

/** Variables that hold a secret whatever it looks like, and URLs that may hold a password. */
const KEYS = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"];
const URLS = ["OXBOW_STORE_URL", "REDIS_URL", "DATABASE_URL"];
const NAMED_SO =
  /(?:^|_)(?:API_?KEY|ACCESS_KEY|PRIVATE_KEY|KEY|TOKEN|PAT|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)(?:_|$)/i;
/** Shorter values (`1`, `true`) would redact ordinary text. */
const MIN_SECRET = 6;
const MIN_GUESSED = 8;

/** The secret values among an environment's. */
export function secretsIn(env: Readonly<Record<string, string>>): readonly string[] {
  const sure = [...KEYS.map((name) => env[name]), ...URLS.flatMap((name) => passwordsIn(env[name]))];
  const named = Object.entries(env).flatMap(([name, value]) =>
    NAMED_SO.test(name) && looksSecret(value) ? [value] : [],
  );
  return [
    ...sure.filter((value) => value !== undefined).filter((value) => value.length >= MIN_SECRET),
    ...named,
  ];
}

/** A variable named `…_TOKEN` may also hold a file's name or a word. */
function looksSecret(value: string): boolean {
  if (value.length < MIN_GUESSED || /^[/~.]|\s/.test(value)) return false;
  return [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((kind) => kind.test(value)).length > 1;
}

/** As it is written in the URL, and as it is. */
function passwordsIn(url: string | undefined): string[] {
  const parsed = url !== undefined && URL.canParse(url) ? new URL(url) : null;
  const written = parsed?.password || (parsed?.searchParams.get("password") ?? "");
  try {
    return [written, decodeURIComponent(written)];
  } catch {
    // A stray percent sign: then it is what is written.
    return [written];
  }
}

/** One redactor for all that leaves this process or is kept; more can become known to it. */
export interface Secrets extends Redactor {
  know(values: readonly (string | undefined)[]): void;
  /** The JSON of an event as it may be kept. */
  event(event: EventBody, json: string): string;
  /** A JSON value as it may be shown. */
  value<T>(value: T): T;
}

export function createSecrets(env: Readonly<Record<string, string>>): Secrets {
  const known = new Set(secretsIn(env));
  let redactor = createRedactor({ known: [...known] });
  const redact = (text: string) => redactor.redact(text);
  return {
    redact,
    stream: () => redactor.stream(),
    know(values) {
      const fresh = values.filter(
        (value) => value !== undefined && value.length >= MIN_SECRET && !known.has(value),
      );
      if (fresh.length === 0) return;
      for (const value of fresh) if (value !== undefined) known.add(value);
      redactor = createRedactor({ known: [...known] });
    },
    event: (event, json) => (WORDLESS.has(event.event) ? json : redact(json)),
    value<T>(value: T): T {
      const json = JSON.stringify(value);
      if (json === undefined) return value;
      const clean = redact(json);
      return clean === json ? value : JSON.parse(clean);
    },
  };
}

/** Events of ids, names and numbers only: they are most of a stream, and hold nothing that somebody wrote. */
const WORDLESS: ReadonlySet<EventBody["event"]> = new Set<EventBody["event"]>([
  "task_resumed",
  "split",
  "child_started",
  "branch_allocated",
  "turn",
  "work_saved",
  "message_received",
  "handed_back",
  "merge_started",
  "merged",
  "task_finished",
]);

/** A value with the secrets of this process's environment redacted, for showing it. */
export function shown<T>(value: T): T {
  return createSecrets(environment()).value(value);
}
