/** The HTTP door over a shop of its own: called without a port, or listening on a free one of this machine. */
import { type App, openApp } from "../../src/app.ts";
import { createApi } from "../../src/doors/http/api.ts";
import type { Mount, Routes, Service } from "../../src/doors/http/contract.ts";
import { createGate, type GateOptions } from "../../src/doors/http/gate.ts";
import { LIMITS, type Limits } from "../../src/doors/http/listener.ts";
import { type ListeningAt, serve, type ServeOptions } from "../../src/doors/http/serve.ts";
import { plainEnvironment } from "./cli.ts";
import { makeShop, type Shop } from "./shop.ts";

export const SERVICE_TEAM = `team: Shop
lead: Lead
agents:
  - name: Lead
    skills: [planning]
  - name: Api
    skills: [typescript, rest]
    domain: backend
    allowed_paths: ["src/api/**"]
  - name: Web
    skills: [TypeScript, css]
    domain: frontend
    allowed_paths: ["src/web/**"]
`;

interface Setting extends Partial<Omit<GateOptions, "port">> {
  readonly env?: Readonly<Record<string, string>>;
  readonly mounts?: Readonly<Record<string, Mount>>;
  readonly team?: string;
  /** In place of what the agents say. */
  readonly isHealthy?: () => Promise<boolean>;
}

type CallInit = Omit<RequestInit, "headers"> & { headers?: Record<string, string> };

export interface CalledService extends AsyncDisposable {
  readonly app: App;
  readonly shop: Shop;
  readonly api: Routes;
  /** With the Host of the address it listens on, unless another is given. */
  call(path: string, init?: CallInit): Promise<Response>;
  /** The JSON of an answer; throws when it is none of this status. */
  json(path: string, status?: number, init?: CallInit): Promise<any>;
  /** A token with these scopes, as a header. */
  token(...scopes: ("read" | "submit" | "approve" | "admin")[]): Promise<{ authorization: string }>;
}

const PORT = 8000;

/** A request with a JSON body. */
export function sending(method: string, body?: unknown, headers: Record<string, string> = {}): CallInit {
  if (body === undefined) return { method, headers };
  return {
    method,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}

/** Nothing listens. */
export async function callService(setting: Setting = {}): Promise<CalledService> {
  const shop = makeShop({ team: setting.team ?? SERVICE_TEAM });
  const app = openApp({ repo: shop.dir, env: plainEnvironment(setting.env) });
  const service: Service = {
    app,
    version: "1.2.3",
    log: await app.log(),
    redact: await app.redact(),
    isHealthy: setting.isHealthy ?? (() => app.isHealthy()),
    stopping: new AbortController().signal,
  };
  const { bind = "127.0.0.1", allowedOrigins = [], requireToken = false } = setting;
  const gate = createGate(app, { bind, port: () => PORT, allowedOrigins, requireToken });
  const api = createApi(service, gate, setting.mounts);
  const host = `${bind === "0.0.0.0" ? "oxbow.example.com" : bind}:${PORT}`;
  const call: CalledService["call"] = async (path, init = {}) =>
    api.request(`http://${host}${path}`, { ...init, headers: { host, ...init.headers } });
  let tokens = 0;
  return {
    app,
    shop,
    api,
    call,
    async json(path, status = 200, init = {}) {
      const answer = await call(path, init);
      const text = await answer.text();
      if (answer.status !== status) throw new Error(`${path}: ${answer.status} ${text}`);
      return JSON.parse(text);
    },
    async token(...scopes) {
      const { token } = await app.createToken({ name: `test ${++tokens}`, scopes, lifeMs: null });
      return { authorization: `Bearer ${token}` };
    },
    async [Symbol.asyncDispose]() {
      await app.close();
      shop[Symbol.dispose]();
    },
  };
}

export interface ListeningService extends AsyncDisposable, ListeningAt {
  readonly app: App;
  readonly shop: Shop;
  readonly port: number;
  readonly metricsPort: number;
  /** Asks it to stop; resolves when it has. */
  stop(): Promise<void>;
}

/** Without its own work, unless asked; limits may be shortened. */
export async function startService(
  options: Partial<Omit<ServeOptions, "limits">> & {
    readonly limits?: Partial<Limits>;
    readonly env?: Readonly<Record<string, string>>;
    readonly team?: string;
    /** Before it is served; another app may be served in its place. */
    readonly prepare?: (app: App) => Promise<App | void>;
  } = {},
): Promise<ListeningService> {
  const { limits, env, team = SERVICE_TEAM, prepare, ...rest } = options;
  const shop = makeShop({ team });
  const opened = openApp({ repo: shop.dir, env: plainEnvironment(env), followTeamFile: true });
  const app = (await prepare?.(opened)) ?? opened;
  const stop = new AbortController();
  const listening = Promise.withResolvers<ListeningAt>();
  const wanted = { host: "127.0.0.1", port: 0, metricsPort: 0, work: false, version: "1.2.3", ...rest };
  const ended = serve(app, { ...wanted, limits: { ...LIMITS, ...limits } }, listening.resolve, stop.signal);
  const at = await Promise.race([
    listening.promise,
    ended.then(() => Promise.reject(new Error("ended before it listened"))),
  ]).catch(async (error: unknown) => {
    await opened.close();
    shop[Symbol.dispose]();
    throw error;
  });
  const stopped = async () => {
    stop.abort();
    await ended;
  };
  return {
    ...at,
    app,
    shop,
    port: Number(new URL(at.url).port),
    metricsPort: Number(new URL(at.metrics_url).port),
    stop: stopped,
    async [Symbol.asyncDispose]() {
      await stopped();
      await opened.close();
      shop[Symbol.dispose]();
    },
  };
}
