/** `oxbow token`: who may call the network doors. */
import { openApp, type Scope, type TokenRecord } from "../../app.ts";
import { duration } from "./text.ts";

interface Flags {
  readonly repo: string;
  readonly team?: string;
  readonly json?: boolean;
}

/** As a worker does: a machine of a fleet need not have a clone. */
function open({ repo, team }: Flags) {
  return openApp({ repo, team, mirror: true });
}

export async function create(
  flags: Flags & { readonly name: string; readonly scope: readonly Scope[]; readonly expires?: number },
): Promise<number> {
  await using app = open(flags);
  const made = await app.createToken({
    name: flags.name,
    scopes: flags.scope,
    lifeMs: flags.expires ?? null,
  });
  if (flags.json) process.stdout.write(`${JSON.stringify(shown(made))}\n`);
  else {
    process.stdout.write(`${made.token}\n`);
    process.stderr.write(`${text(made)}\nIt is shown this once: keep it where secrets are kept.\n`);
  }
  return 0;
}

export async function list(flags: Flags): Promise<number> {
  await using app = open(flags);
  const tokens = await app.tokens();
  if (flags.json) process.stdout.write(`${JSON.stringify(tokens.map(shown))}\n`);
  else if (tokens.length === 0) process.stdout.write("There are no tokens.\n");
  else process.stdout.write(`${tokens.map(text).join("\n")}\n`);
  return 0;
}

export async function revoke(idOrName: string, flags: Flags): Promise<number> {
  await using app = open(flags);
  const revoked = await app.revokeToken(idOrName);
  if (flags.json) process.stdout.write(`${JSON.stringify(shown(revoked))}\n`);
  else process.stdout.write(`${revoked.name} (${revoked.token_id}) opens nothing any more.\n`);
  return 0;
}

const iso = (time: number | null) => (time === null ? null : new Date(time).toISOString());

function shown<T extends TokenRecord>({ created_at, expires_at, last_used_at, ...rest }: T) {
  return {
    ...rest,
    created_at: iso(created_at),
    expires_at: iso(expires_at),
    last_used_at: iso(last_used_at),
  };
}

function text({ token_id, name, scopes, expires_at, last_used_at }: TokenRecord): string {
  const now = Date.now();
  const ends =
    expires_at === null
      ? "does not end"
      : expires_at <= now
        ? "its time is up"
        : `ends in ${duration(expires_at - now)}`;
  const used = last_used_at === null ? "never used" : `used ${duration(now - last_used_at)} ago`;
  return `${token_id}  ${name}: may ${scopes.join(", ")}; ${ends}; ${used}`;
}
