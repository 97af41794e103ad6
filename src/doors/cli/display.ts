/** What a person sees while a task runs: a block of live lines on a terminal, plain lines elsewhere, events with --json. */
import type { OxbowEvent } from "../../core/events.ts";
import { evidenceLine } from "./evidence-text.ts";
import { alertText, approvalText, conflictText, mergeText } from "./event-text.ts";
import { clip, columns, duration, MARKS, tokens } from "./text.ts";

export interface Display {
  submitted(task: { task_id: string; ticket: string; title: string }): void;
  event(event: OxbowEvent): void;
  stopping(signal: string): void;
  close(): void;
}

export function createDisplay(json: boolean): Display {
  if (json) return jsonDisplay();
  return process.stdout.isTTY ? liveDisplay() : plainDisplay();
}

function jsonDisplay(): Display {
  return {
    submitted: () => undefined,
    event: (event) => void process.stdout.write(`${JSON.stringify(event)}\n`),
    stopping: () => undefined,
    close: () => undefined,
  };
}

function header(task: { task_id: string; ticket: string; title: string }): string {
  return `Task ${task.task_id}, ticket ${task.ticket}: ${clip(task.title, 100)}\n`;
}

function stoppingText(signal: string): string {
  return signal === "SIGINT"
    ? "Stopping: children end, their work is kept. Press Ctrl-C again to leave at once.\n"
    : `${signal}: handing the work back; go on with --resume.\n`;
}

function plainDisplay(): Display {
  return {
    submitted: (task) => void process.stdout.write(header(task)),
    event(event) {
      const line = plainLine(event);
      if (line) process.stdout.write(`${line}\n`);
    },
    stopping: (signal) => void process.stderr.write(stoppingText(signal)),
    close: () => undefined,
  };
}

function plainLine(event: OxbowEvent): string | null {
  const who = event.source ? `[${event.source}] ` : "";
  switch (event.event) {
    case "notice":
    case "workers":
      return event.message;
    case "handed_back":
      return `${who}handed back; another goes on with it`;
    case "child_started":
      return `${who}started on ${event.branch ?? "no branch"}${event.attempt > 1 ? ` (attempt ${event.attempt})` : ""}`;
    case "split":
      return `${who}split into ${event.children.length} ${event.children.length === 1 ? "child" : "children"}`;
    case "commit":
      return `${who}commit ${event.commit.slice(0, 10)} ${event.message} (${event.files} file${event.files === 1 ? "" : "s"})`;
    case "message_sent":
      return `${who}to ${event.recipient}: ${clip(event.content.trim(), 100)}`;
    case "retry":
      return `${who}retry ${event.attempt} in ${duration(event.delay_ms)}: ${clip(event.reason, 100)}`;
    case "evidence":
      return `${who}${evidenceLine(event.bundle)}`;
    case "breaker":
      return `${who}${event.provider} ${PROVIDER[event.state]}${event.reason === null ? "" : `: ${clip(event.reason, 100)}`}`;
    case "agent_restarted": {
      const others = event.together.length > 0 ? `, with ${event.together.join(", ")}` : "";
      return `${who}crashed: ${clip(event.error.message, 120)}; again in ${duration(event.delay_ms)}${others}`;
    }
    case "agent_failed":
      return `[${event.agent}] ${event.message}`;
    case "alert":
      return alertText(event);
    case "assigned":
      return `${event.subtask_id ?? ""} is ${event.agent}'s now, not ${event.from}'s`;
    case "refused":
      return `${who}refused: ${event.message}`;
    case "approval_requested":
    case "approval_decided":
      return approvalText(event);
    case "child_finished":
      return `${who}${event.outcome}${event.result.error ? `: ${event.result.error.message}` : ""}`;
    case "merged":
      return `${who}merged into ${event.into}`;
    case "merge_conflict":
      return `${who}${conflictText(event.conflicts)}`;
    case "merge_rework":
    case "merge_escalated":
    case "verify_started":
    case "verify_finished":
      return mergeText(event);
    default:
      return null;
  }
}

const PROVIDER = {
  open: "does not work; nobody asks it for a while",
  half_open: "is tried again",
  closed: "works again",
};

interface Row {
  readonly agent: string;
  readonly subtask: string;
  state: string;
  doing: string;
  tokens: number;
  started: number | null;
  ended: number | null;
}

function liveDisplay(): Display {
  const rows = new Map<string, Row>();
  let drawn = 0;
  let dirty = false;
  const erase = () => {
    if (drawn > 0) process.stdout.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  const draw = () => {
    erase();
    const height = Math.max(3, (process.stdout.rows || 24) - 3);
    const lines = layout([...rows.values()], height);
    process.stdout.write(lines.map((line) => `${clip(line, (process.stdout.columns || 80) - 1)}\n`).join(""));
    drawn = lines.length;
    dirty = false;
  };
  const say = (text: string) => {
    erase();
    process.stdout.write(text);
    draw();
  };
  const timer = setInterval(() => {
    if (dirty || [...rows.values()].some((row) => row.started !== null && row.ended === null)) draw();
  }, 200);
  timer.unref();
  return {
    submitted: (task) => say(header(task)),
    event(event) {
      if (event.event === "notice" || event.event === "workers") say(`${event.message}\n`);
      if (event.event === "approval_requested" || event.event === "approval_decided")
        say(`${approvalText(event)}\n`);
      if (event.event === "merge_escalated" || event.event === "verify_finished")
        say(`${mergeText(event)}\n`);
      if (event.event === "alert") say(`${alertText(event)}\n`);
      update(rows, event);
      dirty = true;
    },
    stopping: (signal) => say(stoppingText(signal)),
    close() {
      clearInterval(timer);
      erase();
    },
  };
}

function newRow(subtask: string, agent: string): Row {
  return { agent, subtask, state: "planned", doing: "", tokens: 0, started: null, ended: null };
}

function update(rows: Map<string, Row>, event: OxbowEvent): void {
  const id = event.subtask_id;
  if (id === undefined) return;
  if (event.event === "child_announced") {
    rows.set(id, newRow(id, event.agent));
    return;
  }
  const row = rows.get(id) ?? (event.source === undefined ? undefined : newRow(id, event.source));
  if (!row) return;
  rows.set(id, row);
  switch (event.event) {
    case "child_started":
      row.state = "running";
      row.started = Date.parse(event.ts);
      row.doing = event.branch ?? "";
      break;
    case "tool_called":
      row.doing = event.tool;
      break;
    case "turn":
      row.tokens += event.usage.total_tokens;
      break;
    case "command_output":
      row.doing = event.text.trim().split("\n").at(-1) ?? "";
      break;
    case "commit":
      row.doing = `commit ${event.message}`;
      break;
    case "retry":
      row.doing = `waiting ${duration(event.delay_ms)}: ${event.reason}`;
      break;
    case "agent_restarted":
      row.state = "planned";
      row.doing = `crashed: ${event.error.message}`;
      break;
    case "approval_requested":
      if (event.kind === "gate") row.state = "awaiting_approval";
      row.doing = `asks ${event.owner ?? event.person ?? "a person"}`;
      break;
    case "approval_decided":
      if (event.kind === "gate") row.state = "planned";
      row.doing = event.state;
      break;
    case "alert":
      row.state = "blocked";
      row.doing = event.message;
      break;
    case "handed_back":
      row.state = "planned";
      row.doing = "handed back";
      break;
    case "child_finished":
      row.state = event.outcome;
      row.ended = Date.parse(event.ts);
      row.doing = event.result.error?.message ?? "";
      break;
    case "merged":
      row.doing = "merged";
      break;
    case "merge_conflict":
      row.doing = conflictText(event.conflicts);
      break;
    case "merge_rework":
      row.doing = `reworked by ${event.agent}`;
      break;
    default:
      break;
  }
}

/** Running rows first when there are more than fit. */
function layout(rows: readonly Row[], height: number): string[] {
  const order = (row: Row) => (row.state === "running" ? 0 : row.ended === null ? 1 : 2);
  const fits = rows.length <= height;
  const shown = fits ? rows : [...rows].sort((a, b) => order(a) - order(b)).slice(0, height - 1);
  const now = Date.now();
  const lines = columns(
    shown.map((row) => [
      MARKS[row.state] ?? "·",
      row.agent,
      row.state,
      row.tokens > 0 ? `${tokens(row.tokens)} tok` : "",
      row.started === null ? "" : duration((row.ended ?? now) - row.started),
      row.doing.replace(/\s+/g, " "),
    ]),
  );
  return fits ? lines : [...lines, `… and ${rows.length - shown.length} more`];
}
