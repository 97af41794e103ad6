/** Two of the wire formats of test/support/model-server.ts: a request read into one shape, an answer written out of it. */

export interface ToolCall {
  readonly name: string;
  /** An object, or raw text (malformed on purpose). */
  readonly arguments?: unknown;
  readonly id?: string;
}

export interface Answer {
  readonly text?: string;
  readonly calls?: readonly ToolCall[];
  readonly usage?: {
    readonly input: number;
    readonly output: number;
    readonly cached?: number;
    /** Messages API only. */
    readonly cacheWrite?: number;
  };
  /** Why it ends, in the words of the wire; by default as usual. */
  readonly stop?: string;
  /** Messages API only: said before anything else. */
  readonly thinking?: { readonly text: string; readonly signature: string };
}

export interface Conversation {
  readonly instructions: string;
  /** The first thing the user said: the task. */
  readonly task: string;
  /** Which answer of the model this is, from 1. */
  readonly turn: number;
  /** Every tool result so far, oldest first; JSON where it is JSON. */
  readonly outputs: readonly unknown[];
  /** The results of the calls in the model's last answer. */
  readonly lastOutputs: readonly unknown[];
}

export type Item = Readonly<Record<string, unknown>>;

export function readResponsesRequest(body: Item): Conversation {
  const input: readonly Item[] =
    typeof body.input === "string" ? [{ role: "user", content: body.input }] : (body.input as Item[]);
  const kinds = input.map((item) => {
    if (item.type === "function_call_output") return { kind: "output", text: String(item.output) };
    if (item.type === "function_call" || item.type === "reasoning" || item.role === "assistant")
      return { kind: "model" };
    return { kind: "user", text: textOf(item.content) };
  });
  return conversation(textOf(body.instructions), kinds);
}

export function readChatRequest(body: Item): Conversation {
  const messages = body.messages as Item[];
  const system = messages.filter((message) => message.role === "system" || message.role === "developer");
  const kinds = messages
    .filter((message) => !system.includes(message))
    .map((message) => {
      if (message.role === "tool") return { kind: "output", text: textOf(message.content) };
      return message.role === "assistant"
        ? { kind: "model" }
        : { kind: "user", text: textOf(message.content) };
    });
  return conversation(system.map((message) => textOf(message.content)).join("\n"), kinds);
}

export function conversation(
  instructions: string,
  items: readonly { kind: string; text?: string }[],
): Conversation {
  const outputs: unknown[] = [];
  let lastOutputs: unknown[] = [];
  let turn = 1;
  items.forEach((item, index) => {
    if (item.kind === "output") {
      const value = parsed(item.text ?? "");
      outputs.push(value);
      lastOutputs.push(value);
    } else if (item.kind === "model" && items[index - 1]?.kind !== "model") {
      turn += 1;
      lastOutputs = [];
    }
  });
  const task = items.find((item) => item.kind === "user")?.text ?? "";
  return { instructions, task, turn, outputs, lastOutputs };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return (content as Item[]).map((part) => (typeof part.text === "string" ? part.text : "")).join("");
}

/** Ids are unique for the life of the process, as a vendor's are. */
let made = 0;
export const newId = (prefix: string): string => `${prefix}_${(++made).toString().padStart(6, "0")}`;

export function argumentText(call: ToolCall): string {
  return typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments ?? {});
}

export function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)].filter((part) => part !== "");
}

/** The Responses API's answer as one JSON body, and the events that stream it. */
export function writeResponses(answer: Answer, model: string): { body: Item; events: Item[] } {
  const id = newId("resp");
  const output: Item[] = [];
  const events: Item[] = [];
  const base = {
    id,
    object: "response",
    created_at: 1_700_000_000,
    model,
    tools: [],
    parallel_tool_calls: true,
  };
  const open = { ...base, status: "in_progress", output: [], usage: null, error: null };
  events.push({ type: "response.created", response: open }, { type: "response.in_progress", response: open });
  if (answer.text !== undefined) {
    const at = { item_id: newId("msg"), output_index: output.length, content_index: 0 };
    const part = (text: string) => ({ type: "output_text", text, annotations: [], logprobs: [] });
    const item = (status: string, content: Item[]) => ({
      id: at.item_id,
      type: "message",
      role: "assistant",
      status,
      content,
    });
    events.push({
      type: "response.output_item.added",
      output_index: at.output_index,
      item: item("in_progress", []),
    });
    events.push({ type: "response.content_part.added", ...at, part: part("") });
    for (const delta of halves(answer.text))
      events.push({ type: "response.output_text.delta", ...at, delta, logprobs: [] });
    events.push({ type: "response.output_text.done", ...at, text: answer.text, logprobs: [] });
    events.push({ type: "response.content_part.done", ...at, part: part(answer.text) });
    output.push(item("completed", [part(answer.text)]));
    events.push({ type: "response.output_item.done", output_index: at.output_index, item: output.at(-1) });
  }
  for (const call of answer.calls ?? []) {
    const at = { item_id: newId("fc"), output_index: output.length };
    const args = argumentText(call);
    const callId = call.id ?? newId("call");
    const item = (status: string, text: string) => ({
      id: at.item_id,
      type: "function_call",
      call_id: callId,
      name: call.name,
      arguments: text,
      status,
    });
    events.push({
      type: "response.output_item.added",
      output_index: at.output_index,
      item: item("in_progress", ""),
    });
    for (const delta of halves(args))
      events.push({ type: "response.function_call_arguments.delta", ...at, delta });
    events.push({ type: "response.function_call_arguments.done", ...at, name: call.name, arguments: args });
    output.push(item("completed", args));
    events.push({ type: "response.output_item.done", output_index: at.output_index, item: output.at(-1) });
  }
  const { input, output: out, cached = 0 } = answer.usage ?? { input: 100, output: 20 };
  const usage = {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: out,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + out,
  };
  const body = { ...base, status: "completed", output, usage, error: null };
  events.push({ type: "response.completed", response: body });
  return { body, events: events.map((event, index) => ({ ...event, sequence_number: index })) };
}

/** The same for Chat Completions; the events are chunks. */
export function writeChat(answer: Answer, model: string): { body: Item; events: Item[] } {
  const id = newId("chatcmpl");
  const calls = (answer.calls ?? []).map((call, index) => ({
    index,
    id: call.id ?? newId("call"),
    type: "function",
    function: { name: call.name, arguments: argumentText(call) },
  }));
  const finish = answer.stop ?? (calls.length > 0 ? "tool_calls" : "stop");
  const { input, output, cached = 0 } = answer.usage ?? { input: 100, output: 20 };
  const usage = {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cached },
  };
  const chunk = (delta: Item, finish_reason: string | null): Item => ({
    id,
    object: "chat.completion.chunk",
    created: 1_700_000_000,
    model,
    choices: [{ index: 0, delta, finish_reason }],
  });
  const events: Item[] = [chunk({ role: "assistant", content: "" }, null)];
  for (const delta of halves(answer.text ?? "")) events.push(chunk({ content: delta }, null));
  for (const call of calls) {
    const { name, arguments: args } = call.function;
    events.push(chunk({ tool_calls: [{ ...call, function: { name, arguments: "" } }] }, null));
    for (const delta of halves(args)) {
      events.push(chunk({ tool_calls: [{ index: call.index, function: { arguments: delta } }] }, null));
    }
  }
  events.push(chunk({}, finish));
  events.push({ id, object: "chat.completion.chunk", created: 1_700_000_000, model, choices: [], usage });
  const message = {
    role: "assistant",
    content: answer.text ?? null,
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(({ index: _index, ...call }) => call) }),
  };
  const body = {
    id,
    object: "chat.completion",
    created: 1_700_000_000,
    model,
    choices: [{ index: 0, message, finish_reason: finish, logprobs: null }],
    usage,
  };
  return { body, events };
}
