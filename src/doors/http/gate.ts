/**
 * Who may come in (SAFETY "Network"): first Host and Origin, then the token; nothing of a body is read before. Written for
 * headers alone, so that an upgrade asks the same questions as a request.
 */
import type { App, Principal } from "../../app.ts";
import { checkOrigin, isLoopback } from "../../core/check-origin.ts";
import { OxbowError } from "../../core/errors.ts";
import { SCOPES } from "../../core/token.ts";

export interface GateOptions {
  readonly bind: string;
  /** What is listened on; not known before it is. */
  port(): number;
  readonly allowedOrigins: readonly string[];
  /** On this machine too. */
  readonly requireToken: boolean;
}

export interface Incoming {
  /** Several make one that is refused. */
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
  /** Something between has passed it on (`Forwarded`, `X-Forwarded-For`): it may come from anywhere. */
  readonly forwarded: boolean;
}

export interface Gate {
  /** Throws origin_refused, host_malformed, token_missing. `withoutToken`: for what tells nothing, and for preflights. */
  checkOrigin(incoming: Incoming, withoutToken: boolean): void;
  /** Throws token_missing, token_rejected. */
  whoIs(incoming: Incoming): Promise<Principal>;
  /** Whether pages of this origin are on the list. */
  isAllowed(origin: string): boolean;
}

/** What the gate asks of a request or an upgrade. `raw`: all headers as they came, name and value in turns. */
export function incomingFrom(header: (name: string) => string | undefined, raw: readonly string[]): Incoming {
  const hosts = raw.filter((name, i) => i % 2 === 0 && name.toLowerCase() === "host").length;
  return {
    // Of several, Node gives the first.
    host: hosts > 1 ? "" : header("host"),
    origin: header("origin"),
    authorization: header("authorization"),
    forwarded: header("forwarded") !== undefined || header("x-forwarded-for") !== undefined,
  };
}

/** Who calls from this machine and needs no token. */
const LOCAL: Principal = { name: "local", token_id: null, scopes: SCOPES };
const MALFORMED = new Set(["host_missing", "host_malformed"]);

export function createGate(app: Pick<App, "authenticate">, options: GateOptions): Gate {
  const { bind, allowedOrigins } = options;
  const isFree = isLoopback(bind) && !options.requireToken;
  const without = (what = "This needs a token.") => new OxbowError("token_missing", what);
  return {
    checkOrigin(incoming, withoutToken) {
      const { host, origin, authorization } = incoming;
      const token = bearer(authorization) ?? undefined;
      const verdict = checkOrigin({ host, origin, token }, { bind, port: options.port(), allowedOrigins });
      if (verdict.allowed || (verdict.code === "token_missing" && withoutToken)) return;
      if (verdict.code === "token_missing") throw without(verdict.reason);
      const code = MALFORMED.has(verdict.code) ? "host_malformed" : "origin_refused";
      throw new OxbowError(code, verdict.reason, { details: { verdict: verdict.code } });
    },

    async whoIs({ authorization, forwarded }) {
      if (authorization === undefined) {
        if (isFree && !forwarded) return LOCAL;
        throw isFree ? without("It was passed on by something between, so it needs a token.") : without();
      }
      const token = bearer(authorization);
      const principal = token === null ? null : await app.authenticate(token);
      if (principal) return principal;
      throw new OxbowError(
        "token_rejected",
        "The token is not one of this service, or opens nothing any more.",
      );
    },

    isAllowed: (origin) => allowedOrigins.some((each) => each.replace(/\/$/, "") === origin),
  };
}

function bearer(authorization: string | undefined): string | null {
  return /^bearer +(\S{1,500})$/i.exec(authorization ?? "")?.[1] ?? null;
}

/** Throws token_required for an address beyond this machine, or `requireToken`, without a token that could open. */
export async function refuseUnguarded(
  app: Pick<App, "tokens">,
  { bind, requireToken }: Pick<GateOptions, "bind" | "requireToken">,
): Promise<void> {
  if (isLoopback(bind) && !requireToken) return;
  const now = Date.now();
  const open = (await app.tokens()).some(({ expires_at }) => expires_at === null || expires_at > now);
  if (open) return;
  const where = isLoopback(bind)
    ? "With --require-token callers need a token"
    : `${bind} is beyond this machine`;
  throw new OxbowError("token_required", `${where}, and there is no token that opens.`);
}
