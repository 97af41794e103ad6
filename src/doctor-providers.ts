/** `oxbow doctor` about the providers that the team's agents use: keys, with `--live` whether they are taken, and logins. */
import type { DoctorRow } from "./doctor.ts";
import type { AgentSpec, TeamFile } from "./core/team-file.ts";
import type { Settings } from "./core/settings.ts";
import type { PriceTable } from "./agent/price-file.ts";
import { anthropicPrice, openaiPrice, PRICES_OF } from "./agent/prices.ts";
import { probe } from "./agent/probe.ts";
import {
  credentialsOf,
  defaultModel,
  serviceOf,
  type Vendor,
  vendorFacts,
  vendorOf,
} from "./agent/vendors.ts";
import { hasCode } from "./core/errors.ts";
import { findProgram } from "./host/program-files.ts";
import { run } from "./host/process.ts";
import { pricesOf } from "./prices.ts";
import { claudeProblem, isClaudeCode, loginOf, PROGRAM } from "./team/claude-code.ts";

type Environment = Readonly<Record<string, string>>;

/** `live`: asks each of them; else nothing leaves this machine. */
export async function providerRows(
  settings: Settings,
  team: TeamFile | null,
  env: Environment,
  live: boolean,
): Promise<readonly DoctorRow[]> {
  const used = modelsByVendor(settings, team);
  const vendors = new Set<Vendor>([...used.keys(), ...withKeys(settings)]);
  const rows = await Promise.all(
    [...vendors].map((vendor) => vendorRow(settings, vendor, used.get(vendor) ?? null, live)),
  );
  return [...rows, pricesRow(settings, used), ...(await claudeRows(team, env))];
}

/** What the agents that are models are configured to use; before there is a team, what a run uses by default. */
function modelsByVendor(settings: Settings, team: TeamFile | null): ReadonlyMap<Vendor, ReadonlySet<string>> {
  const used = new Map<Vendor, Set<string>>();
  const add = (provider: string, model: string | null): void => {
    const vendor = vendorOf(provider);
    if (vendor === null) return;
    const models = used.get(vendor) ?? new Set();
    used.set(vendor, models.add(model ?? defaultModel(settings, provider)));
  };
  if (team === null) add("openai", null);
  for (const agent of team?.agents ?? []) {
    if (agent.runtime !== "openai_agents") continue;
    add(agent.provider ?? team?.defaults.provider ?? "openai", agent.model ?? team?.defaults.model ?? null);
  }
  return used;
}

function withKeys(settings: Settings): readonly Vendor[] {
  const all: readonly Vendor[] = ["openai", "anthropic"];
  return all.filter((vendor) => {
    const { apiKey, baseUrl } = credentialsOf(settings, vendor);
    return apiKey !== undefined || baseUrl !== undefined;
  });
}

async function vendorRow(
  settings: Settings,
  vendor: Vendor,
  models: ReadonlySet<string> | null,
  live: boolean,
): Promise<DoctorRow> {
  const credentials = credentialsOf(settings, vendor);
  const { keyName, urlName } = vendorFacts(vendor);
  const check = "provider";
  const where = credentials.baseUrl === undefined ? "" : ` at ${new URL(credentials.baseUrl).host}`;
  try {
    serviceOf(vendor, credentials);
  } catch (error) {
    if (!hasCode(error)) throw error;
    const hint = `Set ${keyName}, or run agents as programs with --runtime command, or as a script with --script FILE.`;
    return { check, state: live ? "error" : "warning", found: `${vendor}: no ${keyName}`, hint };
  }
  const key = credentials.apiKey === undefined ? "no key" : "key set";
  if (!live) return { check, state: "ok", found: `${vendor}${where}, ${key}` };
  const answer = await probe(vendor, credentials);
  if (answer.kind === "failed") {
    const { status, message } = answer.failure;
    const hint = status === 401 || status === 403 ? `Check ${keyName}.` : `Check ${urlName} and the network.`;
    return { check, state: "error", found: `${vendor}${where}: ${message}`, hint };
  }
  const unknown = [...(models ?? [])].filter((model) => answer.models?.includes(model) === false);
  if (unknown.length > 0) {
    const found = `${vendor}${where} answers, but does not list ${unknown.join(", ")}`;
    return { check, state: "warning", found, hint: "Check `model:` in the team file." };
  }
  const said = answer.models === null ? "answers" : `answers, ${answer.models.length} models`;
  return { check, state: "ok", found: `${vendor}${where}, ${key}, ${said}` };
}

/** Where costs come from, and which models have none. */
function pricesRow(settings: Settings, used: ReadonlyMap<Vendor, ReadonlySet<string>>): DoctorRow {
  const check = "prices";
  try {
    const table = pricesOf(settings);
    const own = table && `${table.models} of ${table.date} in ${table.file}, then `;
    const listed = `OpenAI's of ${PRICES_OF.openai}, Anthropic's of ${PRICES_OF.anthropic}`;
    const unknown = [...used].flatMap(([vendor, models]) =>
      [...models].filter((model) => !hasPrice(settings, table, vendor, model)),
    );
    const none = unknown.length === 0 ? "" : `; none for ${unknown.join(", ")}, whose cost is not known`;
    return { check, state: "ok", found: `${own ?? ""}${listed}${none}` };
  } catch (error) {
    if (!hasCode(error)) throw error;
    return { check, state: "error", found: error.message, hint: error.hint };
  }
}

function hasPrice(settings: Settings, table: PriceTable | undefined, vendor: Vendor, model: string): boolean {
  const providers = vendor === "openai" ? ["openai", "openai_chat"] : [vendor];
  if (providers.some((provider) => table?.of(provider, model))) return true;
  if (credentialsOf(settings, vendor).baseUrl !== undefined) return false;
  return (vendor === "anthropic" ? anthropicPrice : openaiPrice)(model) !== null;
}

/** One row for each agent that Claude Code runs. */
async function claudeRows(team: TeamFile | null, env: Environment): Promise<readonly DoctorRow[]> {
  const agents = (team?.agents ?? []).filter(isClaudeCode);
  if (agents.length === 0) return [];
  const version = await claudeVersion(env);
  return agents.map((agent: AgentSpec): DoctorRow => {
    const check = "claude-code";
    const problem = claudeProblem(agent, env);
    if (problem === null)
      return { check, state: "ok", found: `${agent.name}: ${version}, login by ${loginOf(agent, env)}` };
    return {
      check,
      state: "error",
      found: problem.message,
      ...(problem.hint === undefined ? {} : { hint: problem.hint }),
    };
  });
}

const VERSION_MS = 10_000;

async function claudeVersion(env: Environment): Promise<string> {
  const found = findProgram(PROGRAM, env["PATH"] ?? "", "/");
  if (!("file" in found)) return `no ${PROGRAM}`;
  const own: Record<string, string> = { PATH: env["PATH"] ?? "", HOME: env["HOME"] ?? "/" };
  const { exitCode, stdout } = await run(found.file, ["--version"], {
    cwd: "/",
    env: own,
    timeoutMs: VERSION_MS,
    maxOutputBytes: 1000,
  });
  const said = stdout.toString().trim().split("\n", 1)[0] ?? "";
  return exitCode === 0 && said !== "" ? said : `${found.file}, which does not tell its version`;
}
