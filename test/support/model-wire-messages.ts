/** Anthropic's Messages API for test/support/model-server.ts: a request read into the common shape, an answer written. */
import {
  type Answer,
  argumentText,
  type Conversation,
  conversation,
  halves,
  type Item,
  newId,
  textOf,
} from "./model-wire.ts";

export function readMessagesRequest(body: Item): Conversation {
  const kinds = (body.messages as Item[]).flatMap((message) => {
    const { role, content } = message;
    const blocks: readonly Item[] =
      typeof content === "string" ? [{ type: "text", text: content }] : (content as Item[]);
    if (role === "assistant") return blocks.map(() => ({ kind: "model" }));
    return blocks.map((block) =>
      block.type === "tool_result"
        ? { kind: "output", text: textOf(block.content) }
        : { kind: "user", text: textOf([block]) },
    );
  });
  return conversation(textOf(body.system), kinds);
}

/** The answer as one JSON body, and the events that stream it. */
export function writeMessages(answer: Answer, model: string): { body: Item; events: Item[] } {
  const content: Item[] = [];
  const events: Item[] = [];
  const { input, output, cached = 0, cacheWrite = 0 } = answer.usage ?? { input: 100, output: 20 };
  const usage = {
    input_tokens: input,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: cacheWrite,
    output_tokens: 1,
  };
  const base = { id: newId("msg"), type: "message", role: "assistant", model, stop_sequence: null };
  events.push({ type: "message_start", message: { ...base, content: [], stop_reason: null, usage } });
  events.push({ type: "ping" });
  const block = (start: Item, deltas: readonly Item[], whole: Item): void => {
    const index = content.length;
    events.push({ type: "content_block_start", index, content_block: start });
    for (const delta of deltas) events.push({ type: "content_block_delta", index, delta });
    events.push({ type: "content_block_stop", index });
    content.push(whole);
  };
  const { thinking, text } = answer;
  if (thinking !== undefined) {
    const { text: thought, signature } = thinking;
    const deltas = halves(thought).map((part) => ({ type: "thinking_delta", thinking: part }));
    block(
      { type: "thinking", thinking: "", signature: "" },
      [...deltas, { type: "signature_delta", signature }],
      { type: "thinking", thinking: thought, signature },
    );
  }
  if (text !== undefined) {
    const deltas = halves(text).map((part) => ({ type: "text_delta", text: part }));
    block({ type: "text", text: "" }, deltas, { type: "text", text });
  }
  for (const call of answer.calls ?? []) {
    const id = call.id ?? newId("toolu");
    const args = argumentText(call);
    const deltas = halves(args).map((part) => ({ type: "input_json_delta", partial_json: part }));
    const start = { type: "tool_use", id, name: call.name, input: {} };
    block(start, [{ type: "input_json_delta", partial_json: "" }, ...deltas], start);
  }
  const stop_reason = answer.stop ?? ((answer.calls ?? []).length > 0 ? "tool_use" : "end_turn");
  events.push({
    type: "message_delta",
    delta: { stop_reason, stop_sequence: null },
    usage: { ...usage, output_tokens: output },
  });
  events.push({ type: "message_stop" });
  return { body: { ...base, content, stop_reason, usage: { ...usage, output_tokens: output } }, events };
}
