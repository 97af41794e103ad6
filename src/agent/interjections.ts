/**
 * What a model is told in the middle of a run. The SDK does not know of it: its history grows only by answers and tool
 * results, so each interjection keeps the place in that history at which it was made and is put in there for every call.
 */
import type { AgentInputItem, ModelRequest } from "@openai/agents";

export interface Interjections {
  /** Adds to the end of what the model has been told so far. */
  add(history: ModelRequest["input"], items: readonly AgentInputItem[]): void;
  into(history: ModelRequest["input"]): ModelRequest["input"];
}

export function createInterjections(): Interjections {
  const made: { readonly at: number; readonly items: readonly AgentInputItem[] }[] = [];
  return {
    add(history, items) {
      if (items.length > 0) made.push({ at: asItems(history).length, items });
    },
    into(history) {
      if (made.length === 0) return history;
      const all: AgentInputItem[] = [];
      let from = 0;
      const own = asItems(history);
      for (const { at, items } of made) {
        all.push(...own.slice(from, at), ...items);
        from = at;
      }
      return [...all, ...own.slice(from)];
    },
  };
}

export function fromUser(text: string): AgentInputItem {
  return { role: "user", content: text };
}

export function asItems(history: ModelRequest["input"]): readonly AgentInputItem[] {
  return typeof history === "string" ? [fromUser(history)] : history;
}
