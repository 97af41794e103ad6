/** A ToolContext over a map of files, for tests of tools and runs that need no repository. */
import { OxbowError } from "../../src/core/errors.ts";
import { bundleOf } from "../../src/core/evidence-bundle.ts";
import { weighEvidence } from "../../src/core/evidence.ts";
import { NO_USAGE, type Todo } from "../../src/core/model.ts";
import type {
  BarrierRequest,
  BranchFiles,
  SignalMessage,
  Signals,
  SplitRequest,
  Todos,
  ToolContext,
} from "../../src/core/tool.ts";

export interface MemoryContext extends ToolContext {
  /** The branch's files as text. */
  readonly contents: Map<string, Uint8Array>;
  readonly commits: { message: string; files: Record<string, string> }[];
  readonly splits: SplitRequest[];
  readonly barriers: BarrierRequest[];
  readonly chats: { recipient: string; content: string }[];
  readonly commands: string[];
  readonly sent: { topic: string; payload: unknown }[];
  text(path: string): string | null;
}

export interface MemoryOptions {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Awaited before each read and write: lets a test interleave calls. */
  readonly delay?: () => Promise<void>;
  readonly overrides?: Partial<BranchFiles>;
  readonly signals?: Partial<Signals>;
  readonly signal?: AbortSignal;
}

export function createMemoryContext(options: MemoryOptions = {}): MemoryContext {
  const encoder = new TextEncoder();
  const contents = new Map<string, Uint8Array>();
  for (const [path, text] of Object.entries(options.files ?? {})) {
    contents.set(path, typeof text === "string" ? encoder.encode(text) : text);
  }
  const commits: MemoryContext["commits"] = [];
  const splits: SplitRequest[] = [];
  const chats: MemoryContext["chats"] = [];
  const commands: string[] = [];
  const sent: MemoryContext["sent"] = [];
  const barriers: BarrierRequest[] = [];
  const delay = options.delay ?? (() => Promise.resolve());
  const text = (path: string): string | null => {
    const bytes = contents.get(path);
    return bytes === undefined ? null : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  };
  let edited = false;

  const files: BranchFiles = {
    list: async () => [...contents.keys()].sort().map((path) => ({ path, mode: "100644" })),
    async read(path) {
      await delay();
      const bytes = contents.get(path);
      if (bytes === undefined) throw new OxbowError("file_not_found", `There is no file ${path}.`);
      return bytes;
    },
    async search(pattern, { limit }) {
      const hits = [...contents.keys()].flatMap((path) =>
        (text(path) ?? "")
          .split("\n")
          .flatMap((line, index) =>
            new RegExp(pattern).test(line) ? [{ path, line: index + 1, text: line }] : [],
          ),
      );
      return { hits: hits.slice(0, limit), truncated: hits.length > limit };
    },
    async write(path, content) {
      await delay();
      const created = !contents.has(path);
      contents.set(path, content);
      edited = true;
      return { created };
    },
    async move(from, to) {
      const bytes = contents.get(from);
      if (bytes === undefined) throw new OxbowError("file_not_found", `There is no file ${from}.`);
      contents.delete(from);
      contents.set(to, bytes);
      edited = true;
      return { moved: 1 };
    },
    async delete(path) {
      if (!contents.delete(path)) throw new OxbowError("file_not_found", `There is no file ${path}.`);
      edited = true;
      return { deleted: 1 };
    },
    async apply(changes) {
      const before = new Map(contents);
      try {
        for (const change of changes) {
          if (change.kind === "write") await files.write(change.path, change.content);
          else if (change.kind === "delete") await files.delete(change.path);
          else {
            await files.move(change.from, change.to);
            if (change.content !== null) await files.write(change.to, change.content);
          }
        }
      } catch (error) {
        contents.clear();
        for (const [path, bytes] of before) contents.set(path, bytes);
        throw error;
      }
    },
    diff: async () => (edited ? "diff --git a/x b/x\n" : ""),
    async commit(message) {
      if (!edited) return null;
      edited = false;
      commits.push({
        message,
        files: Object.fromEntries([...contents.keys()].map((path) => [path, text(path) ?? ""])),
      });
      return {
        commit: String(commits.length).padStart(40, "0"),
        branch: "feature/1/Api",
        files: contents.size,
      };
    },
    ...options.overrides,
  };

  const message = (topic: string): SignalMessage => ({
    ok: true,
    topic,
    message: { hi: 1 },
    message_id: "1",
    event_id: "e1",
  });
  const signals: Signals = {
    async send(topic, payload) {
      sent.push({ topic, payload });
      return { ok: true, topic, message_id: String(sent.length) };
    },
    wait: async (topic) => message(topic),
    waitAny: async (topics) => message(topics[0] ?? ""),
    waitAll: async (topics, _ids, timeout_ms) => ({
      ok: true,
      messages: Object.fromEntries(topics.map((topic) => [topic, message(topic)])),
      missing: [],
      timeout_ms,
    }),
    ...options.signals,
  };

  return {
    agent: "Api",
    taskId: "t_1",
    conversationId: "c_1",
    files,
    signals,
    chat: {
      async send(recipient, content) {
        chats.push({ recipient, content });
        return { ok: true, sent: [{ message_id: "m_1", conversation_id: "c_2", agent: recipient }] };
      },
    },
    todos: memoryTodos(),
    terminal: {
      async run({ command }) {
        commands.push(command);
        const ran = { exit_code: 0, output: `ran ${command}\n`, truncated: false, timed_out: false };
        return { ...ran, elapsed_ms: 1, sandbox: "none", changed: 0, left_out: [] };
      },
    },
    async split(request) {
      splits.push(request);
      return { ok: true, children: ["c_2"], topics: ["signal:c_2:done"] };
    },
    owner: (path) => ({
      path,
      owner: path.startsWith("src/")
        ? { agent: "Api", team: "T", pattern: "src/**", window_person: null }
        : null,
    }),
    async barrier(request) {
      barriers.push(request);
      const run = { run: 1, valid: true, value: true, stopped: false, usage: NO_USAGE, cost: 0 };
      const asked = { agent: "Api", elapsed_ms: 1, request_id: null, trace_id: "t", error: null };
      const facts = { barrier_id: "b_1", k: 1, stopped_early: false, movement: null, consensus_valid: true };
      return bundleOf(
        { ...facts, checks: [], runs: [{ ...run, ...asked }], elapsed_ms: 1 },
        weighEvidence([true]),
      );
    },
    requestScope: async (paths) => ({
      ok: true,
      answers: [{ approval_id: "a_1", paths, state: "granted", decided_by: "Web", answer: null }],
    }),
    signal: options.signal ?? new AbortController().signal,
    contents,
    commits,
    splits,
    barriers,
    chats,
    commands,
    sent,
    text,
  };
}

function memoryTodos(): Todos {
  const all: Todo[] = [];
  const find = (id: string): Todo => {
    const found = all.find((todo) => todo.todo_id === id);
    if (found) return found;
    throw new OxbowError("todo_unknown", `There is no todo ${id}.`);
  };
  return {
    async create(todo) {
      const at = { created_by: "Api", created_at: 1, updated_at: 1 };
      const made = {
        todo_id: String(all.length + 1),
        details: "",
        state: "open" as const,
        owner: "Api",
        ...todo,
        ...at,
      };
      all.push(made);
      return made;
    },
    get: async (id) => find(id),
    list: async ({ state, owner }) =>
      all.filter((todo) => (state ?? todo.state) === todo.state && (owner ?? todo.owner) === todo.owner),
    async update(id, change) {
      const made = { ...find(id), ...change };
      all.splice(all.indexOf(find(id)), 1, made);
      return made;
    },
    delete: async (id) => void all.splice(all.indexOf(find(id)), 1),
  };
}
