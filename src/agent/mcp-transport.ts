/** The way to an MCP server: a program's stdin and stdout, or streamable HTTP. */
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import { OxbowError } from "../core/errors.ts";
import type { McpProgram, McpServerSpec, McpUrl } from "../core/mcp-server.ts";
import { type LongProcess, startProcess } from "../host/process.ts";
import { findProgram } from "../host/program-files.ts";
import { endStrays, strayMark } from "../host/strays.ts";
import { withBody } from "./transport.ts";

export type McpSdk = typeof import("@modelcontextprotocol/client");

/** Where a server's program runs, and with whose variables. */
export interface McpPlace {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

export interface McpWay {
  readonly transport: Transport;
  /** What the program said on stderr, the end of it; "" for a URL. */
  said(): string;
  /** Nothing of it is left then. Repeatable. */
  end(): Promise<void>;
}

/** Bytes of one message, and of one HTTP answer. */
export const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
const PASSED = ["PATH", "HOME", "USERPROFILE", "LANG", "LC_ALL", "TZ", "SystemRoot", "ComSpec", "PATHEXT"];
/** What a program prints beside its answers is passed over; one that prints no end of it is ended. */
const MOST_NOISE = 1_000;
const END_MS = 2_000;

/** Throws mcp_unavailable where it cannot even be tried: no such program, a variable that is not set. */
export function openWay(sdk: McpSdk, server: McpServerSpec, place: McpPlace): McpWay {
  const missing = missingVariables(server, place.environment);
  if (missing.length > 0)
    throw new OxbowError(
      "mcp_unavailable",
      `The MCP server ${server.name} needs ${missing.join(", ")}, not set here.`,
    );
  return server.at.kind === "url"
    ? urlWay(sdk, server.at, place)
    : programWay(sdk, server.name, server.at, place);
}

/** The variables without which it is not even tried. */
export function missingVariables(
  { at }: Pick<McpServerSpec, "at">,
  environment: McpPlace["environment"],
): readonly string[] {
  return variablesOf({ at }).filter((name) => !environment[name]);
}

/** The variables whose values it is sent or given. */
export function variablesOf({ at }: Pick<McpServerSpec, "at">): readonly string[] {
  if (at.kind === "program") return at.env;
  return [...(at.tokenEnv === null ? [] : [at.tokenEnv]), ...Object.values(at.headersEnv)];
}

function urlWay(sdk: McpSdk, { url, tokenEnv, headersEnv }: McpUrl, { environment }: McpPlace): McpWay {
  const headers: Record<string, string> = {};
  for (const [name, variable] of Object.entries(headersEnv)) headers[name] = environment[variable] ?? "";
  if (tokenEnv !== null) headers["authorization"] = `Bearer ${environment[tokenEnv] ?? ""}`;
  // The client library would wait for the rest of an answer that broke off; a call that is under way ends with the way.
  const broken = (): void => void transport.close().catch(() => undefined);
  const bounded: typeof fetch = async (address, init) => {
    const answer = await fetch(address, init);
    // What it sends on its own has no end; an answer has.
    if (init?.method !== "POST" || answer.body === null) return answer;
    return withBody(answer, ReadableStream.from(bytesOf(answer.body, broken)));
  };
  const transport = new sdk.StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers },
    redirectPolicy: "same-origin",
    fetch: bounded,
  });
  const end = async (): Promise<void> => {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, END_MS / 2);
    // A server that is not there any more keeps no session either.
    await Promise.race([transport.terminateSession().catch(() => undefined), late]);
    clearTimeout(timer);
    await transport.close();
  };
  let ending: Promise<void> | null = null;
  return { transport, said: () => "", end: () => (ending ??= end()) };
}

async function* bytesOf(body: ReadableStream<Uint8Array>, broken: () => void): AsyncGenerator<Uint8Array> {
  let seen = 0;
  try {
    for await (const chunk of body) {
      seen += chunk.byteLength;
      if (seen > MAX_MESSAGE_BYTES) throw new Error(`The answer has more than ${MAX_MESSAGE_BYTES} bytes.`);
      yield chunk;
    }
  } catch (error) {
    broken();
    throw error;
  }
}

function programWay(sdk: McpSdk, name: string, { command, env }: McpProgram, place: McpPlace): McpWay {
  const [program = "", ...args] = command;
  const own: Record<string, string> = {};
  for (const variable of [...PASSED, ...env]) {
    const value = place.environment[variable];
    if (value !== undefined) own[variable] = value;
  }
  const found = findProgram(program, own["PATH"] ?? "", place.cwd);
  if ("missing" in found) {
    const why = found.missing === "ENOENT" ? "is no program here" : "may not be run";
    throw new OxbowError("mcp_unavailable", `The MCP server ${name} cannot be started: ${program} ${why}.`);
  }
  const mark = strayMark();
  const open = () =>
    startProcess(found.file, args, {
      cwd: place.cwd,
      env: { ...own, [mark.name]: mark.value },
      group: true,
    });
  return pipeWay(sdk, open, () => endStrays(mark));
}

/** A message a line. `left` is called when the process has ended. */
function pipeWay(sdk: McpSdk, open: () => LongProcess, left: () => Promise<void>): McpWay {
  let process: LongProcess | null = null;
  let noise = 0;

  const take = (line: string): void => {
    if (line.trim() === "") return;
    try {
      transport.onmessage?.(sdk.deserializeMessage(line));
    } catch (error) {
      if (++noise > MOST_NOISE) process?.kill();
      transport.onerror?.(asError(error));
    }
  };

  const transport: Transport = {
    async start() {
      process = open();
      process.stdout.on(
        "data",
        inLines(take, () => process?.kill()),
      );
      const { exited } = process;
      void exited.then(() => transport.onclose?.());
    },
    async send(message: JSONRPCMessage) {
      if (process === null) throw new Error("The program was not started.");
      // What waits is bounded by the calls that are under way.
      process.stdin.write(sdk.serializeMessage(message));
    },
    close: () => end(),
  };
  let ending: Promise<void> | null = null;
  const end = () =>
    (ending ??= (async () => {
      await process?.close(END_MS);
      await left();
    })());
  return { transport, said: () => process?.stderrTail() ?? "", end };
}

/** Whole lines of what comes in pieces; one that has no end in sight is too long. */
function inLines(line: (text: string) => void, tooLong: () => void): (chunk: Buffer) => void {
  let waiting: Buffer[] = [];
  let bytes = 0;
  return (chunk) => {
    let from = 0;
    for (let to = chunk.indexOf(10); to !== -1; to = chunk.indexOf(10, from)) {
      const text = Buffer.concat([...waiting, chunk.subarray(from, to)]).toString("utf8");
      from = to + 1;
      waiting = [];
      bytes = 0;
      line(text);
    }
    const rest = chunk.subarray(from);
    bytes += rest.length;
    if (bytes > MAX_MESSAGE_BYTES) {
      waiting = [];
      tooLong();
    } else if (rest.length > 0) waiting.push(rest);
  };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
