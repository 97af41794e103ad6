/**
 * Chat Completions as servers really stream them (Ollama, vLLM, llama.cpp, OpenRouter, gateways), turned into what the
 * vendor's own streams look like, which is all that the client library reads. Pure but for {@link withPlainChat}.
 *
 * What is made up for: choices without an index, or none at all; calls without index or id, several under one index, their
 * name repeated with every piece, their arguments as an object; finish reasons of other vendors, or only `[DONE]`; an
 * answer that is not streamed although it was asked to be; errors in the middle.
 */
import { modelFailure } from "./failure.ts";
import { readEvents } from "./sse.ts";
import { type Fetch, withBody } from "./transport.ts";
import { type Fields, field, isFields, numberField, parsedJson, textField } from "./wire-values.ts";

export interface ChatNormaliser {
  /** The chunk as the vendor would have sent it. Throws a model failure when it is an error. */
  push(chunk: unknown): Fields;
  /** Whether the answer has said why it ends. */
  readonly finished: boolean;
}

interface Call {
  readonly id: string | null;
  name: string;
  hasArguments: boolean;
}

export function createChatNormaliser(): ChatNormaliser {
  const calls: Call[] = [];
  /** By the index that the server gives, the call that its next piece belongs to. */
  const current = new Map<number, number>();
  let finished = false;

  const open = (given: number, id: string | null): number => {
    calls.push({ id, name: "", hasArguments: false });
    current.set(given, calls.length - 1);
    return calls.length - 1;
  };
  /** A piece belongs to the call before it, unless its index, its id or its name says that it begins another. */
  const callOf = (piece: unknown): number => {
    const id = textField(piece, "id") || null;
    const name = textField(field(piece, "function"), "name");
    const index = numberField(piece, "index");
    const given = index ?? -1;
    const at =
      index === null && current.size === 0 && calls.length > 0 ? calls.length - 1 : current.get(given);
    const known = at === undefined ? undefined : calls[at];
    if (at === undefined || known === undefined) return open(given, id);
    if (id !== null && known.id !== null && known.id !== id) return open(given, id);
    const begins = id === null && index === null && name !== null && name !== "" && known.hasArguments;
    return begins ? open(given, id) : at;
  };
  const pieceOf = (piece: unknown): Fields => {
    const index = callOf(piece);
    const call = calls[index];
    const given = field(piece, "function");
    const name = textField(given, "name") ?? "";
    const isNew = call !== undefined && name !== "" && call.name !== name;
    if (isNew) call.name += name;
    const args = argumentText(field(given, "arguments"));
    if (call !== undefined && args !== "") call.hasArguments = true;
    const id = textField(piece, "id");
    return {
      index,
      ...(id === null || id === "" ? {} : { id }),
      type: "function",
      function: { ...(isNew ? { name } : {}), arguments: args },
    };
  };

  return {
    get finished() {
      return finished;
    },
    push(chunk) {
      const error = field(chunk, "error");
      if (error !== undefined && error !== null) throw streamedError(error);
      const choices = field(chunk, "choices");
      const first: unknown = Array.isArray(choices) ? choices[0] : undefined;
      const rest = isFields(chunk) ? chunk : {};
      if (!isFields(first)) return { ...rest, choices: [] };
      const delta = field(first, "delta") ?? field(first, "message") ?? {};
      const pieces = field(delta, "tool_calls");
      const reason = finishReason(first);
      finished ||= reason !== null;
      const made = {
        role: "assistant",
        content: textOf(field(delta, "content")),
        ...(textField(delta, "refusal") === null ? {} : { refusal: field(delta, "refusal") }),
        ...(Array.isArray(pieces) && pieces.length > 0 ? { tool_calls: pieces.map(pieceOf) } : {}),
      };
      return { ...rest, choices: [{ index: 0, delta: made, finish_reason: reason }] };
    },
  };
}

function argumentText(given: unknown): string {
  if (typeof given === "string") return given;
  return isFields(given) ? JSON.stringify(given) : "";
}

/** Some servers send parts here too; what is no text (a model's reasoning, say) is no part of the answer. */
function textOf(content: unknown): string | null {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return null;
  return content
    .map((part: unknown) => (textField(part, "type") === "text" ? (textField(part, "text") ?? "") : ""))
    .join("");
}

const LENGTH = new Set(["length", "max_tokens", "max_output_tokens", "model_length"]);

/** Only whether it was cut off, filtered or broken matters; "" is what some servers send while it goes on. */
function finishReason(choice: Fields): string | null {
  const given = textField(choice, "finish_reason");
  if (given === null || given === "") return null;
  const reason = given.toLowerCase();
  if (reason === "error") throw streamedError(field(choice, "error") ?? { message: "no reason given" });
  if (LENGTH.has(reason)) return "length";
  return reason === "content_filter" || reason === "safety" ? "content_filter" : "stop";
}

function streamedError(error: unknown): Error {
  const code = field(error, "code");
  const status = Number(typeof code === "string" || typeof code === "number" ? code : Number.NaN);
  const said =
    typeof error === "string" ? error : (textField(error, "message") ?? JSON.stringify(error).slice(0, 500));
  const isStatus = Number.isInteger(status) && status >= 400 && status < 600;
  return modelFailure(`The model provider gave up while it answered: ${said}`, {
    status: isStatus ? status : 500,
  });
}

/** Answers to requests for a chat are read as above; all others are passed on. */
export function withPlainChat(inner: Fetch): Fetch {
  return async (url, init) => {
    const response = await inner(url, init);
    const asked = url instanceof Request ? url.url : String(url);
    if (!response.ok || response.body === null || !/\/chat\/completions(?:$|\?)/.test(asked)) return response;
    const type = response.headers.get("content-type") ?? "";
    const chunks = type.includes("json") ? wholeAnswer(response) : streamed(response.body);
    return withBody(response, ReadableStream.from(chunks), "text/event-stream");
  };
}

async function* streamed(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const plain = createChatNormaliser();
  let last: Fields = {};
  for await (const { data } of readEvents(body)) {
    if (data.trim() === "[DONE]") {
      // Some servers say no more than this.
      if (!plain.finished)
        yield eventOf({ ...last, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
      break;
    }
    const chunk = parsedJson(data);
    if (chunk === undefined) throw modelFailure("The model provider's answer is not JSON", { status: 502 });
    last = plain.push(chunk);
    yield eventOf(last);
  }
}

async function* wholeAnswer(response: Response): AsyncGenerator<Uint8Array> {
  const answer = parsedJson(await response.text());
  if (answer === undefined) throw modelFailure("The model provider's answer is not JSON", { status: 502 });
  yield eventOf(createChatNormaliser().push(answer));
}

const encoder = new TextEncoder();

function eventOf(chunk: Fields): Uint8Array {
  return encoder.encode(`data: ${JSON.stringify(chunk)}\n\n`);
}
