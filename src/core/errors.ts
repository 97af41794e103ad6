/**
 * The one table of errors: every failure a person, a model or a program can meet has a row here.
 * `status` is the HTTP status, `exit` the process exit code; `retryable` says that the same call may succeed later.
 */
export interface ErrorRow {
  readonly status: number;
  readonly exit: number;
  readonly retryable: boolean;
  /** What to do about it; a caller may give a sharper one. */
  readonly hint: string;
}

const row = (status: number, exit: number, hint: string, retryable = false): ErrorRow => ({
  status,
  exit,
  retryable,
  hint,
});

export const ERRORS = {
  usage: row(400, 2, "Run the command with --help to see its options."),
  setting_unknown: row(400, 2, "Run `oxbow env` to see every setting."),
  setting_invalid: row(400, 2, "Run `oxbow env` to see every setting and its allowed values."),
  team_file_missing: row(400, 2, "Run `oxbow init` to write a team.yaml, or name one with --team FILE."),
  team_file_invalid: row(400, 2, "Correct the team file at the line and column shown."),
  team_config: row(400, 2, "Correct the agents in the team file."),
  agent_unknown: row(404, 2, "Name one of the team's agents, or add it to team.yaml."),
  not_a_repository: row(400, 2, "Run it inside a Git repository, or name one with --repo DIR."),
  repository_unsupported: row(400, 2, "Use a Git that knows it, or convert the repository."),
  repository_unknown: row(
    404,
    2,
    "Name the repository that is served: a remote's URL, its path or its name; or leave it out.",
  ),
  repository_read_only: row(403, 2, "Get the right to write to the repository, or work in a clone of it."),
  objects_missing: row(
    409,
    2,
    "Fetch what is missing, then run it again; `git fsck` shows what is lost.",
    true,
  ),
  unborn_head: row(400, 2, "Make a first commit, or name a branch that has one with --base REF."),
  rev_not_found: row(404, 2, "Name a branch, tag or commit that exists."),
  git_too_old: row(500, 2, "Install Git 2.38 or newer."),
  git_failed: row(500, 70, "Look at the message Git gave; `oxbow doctor` checks the set-up.", true),
  branch_name_rejected: row(
    400,
    2,
    "Use letters, digits, dots, dashes and underscores; do not begin with a dash.",
  ),
  branch_conflict: row(409, 2, "Rename the branch that stands in the way, or use another ticket."),
  branch_checked_out: row(409, 2, "Check out another branch there first, or use another ticket."),
  branch_moved: row(409, 70, "Somebody else moved the branch; run it again.", true),
  dirty_tree: row(409, 2, "Commit or stash your changes first."),
  fenced: row(409, 70, "A newer attempt has taken this work over; nothing of it was changed."),
  remote_unreachable: row(
    503,
    70,
    "Look whether `repo.url` can be reached from this machine; the commits are kept here, `oxbow salvage` lists them.",
    true,
  ),
  remote_refused: row(
    403,
    70,
    "Look at the message of the server; the commits are kept here, `oxbow salvage` lists them.",
  ),
  path_rejected: row(400, 2, "Use a path inside the repository, with forward slashes."),
  file_not_found: row(404, 1, "List the files first; paths are relative to the root of the repository."),
  not_text: row(400, 1, "This file is binary or too large to read as text."),
  edit_no_match: row(
    409,
    1,
    "Read the file again and give the exact text, with more lines around it if it occurs more than once.",
  ),
  patch_invalid: row(
    400,
    1,
    "Write the patch as *** Begin Patch, then *** Add File:, *** Update File: or *** Delete File: sections, then *** End Patch.",
  ),
  patch_failed: row(
    409,
    1,
    "Nothing was written. Read the file again and give its lines exactly, in the order of the file.",
  ),
  out_of_scope: row(403, 1, "Ask the owner of the path, or widen the agent's allowed_paths."),
  ticket_in_use: row(409, 2, "Wait for the other task, resume it with --resume, or use another ticket."),
  task_unknown: row(404, 2, "Run `oxbow status` to see the tasks of this repository."),
  task_conflict: row(409, 2, "A task_id names one task for good; use another id for another body."),
  task_active: row(409, 2, "Another process is running this task; watch it with `oxbow status`."),
  split_invalid: row(
    400,
    2,
    "Ask for between 1 child and the limits.max_children_per_split of the team file.",
  ),
  limit_exceeded: row(409, 2, "Raise the limit under `limits:` in the team file, or split less."),
  plan_invalid: row(400, 2, "Correct the plan where the message says: names, dependencies, paths, limits."),
  nothing_to_split: row(
    400,
    2,
    "No file of the repository is owned by an agent of the team; check allowed_paths with `oxbow owner`.",
  ),
  payload_too_large: row(413, 2, "Send a reference instead, or raise SIGNAL_PAYLOAD_MAX_BYTES."),
  payload_invalid: row(400, 2, "The payload must be a JSON value."),
  topic_rejected: row(
    400,
    2,
    "Begin the topic with the prefix in SIGNAL_TOPIC_PREFIX; no blanks, at most 512 bytes.",
  ),
  topic_reserved: row(403, 1, "The engine sends the done signal itself; end the run instead."),
  recipient_unknown: row(404, 1, "Write to an agent or a conversation of this task that is still at work."),
  recipient_finished: row(409, 1, "Nobody reads there any more; write to another agent, or go on without."),
  approval_unknown: row(404, 2, "Run `oxbow approvals list` to see the open requests."),
  approval_denied: row(409, 1, "A person did not want it; `oxbow retry SUBTASK` asks again."),
  approval_decided: row(409, 1, "The first answer stands; the agent has it already."),
  todo_unknown: row(404, 1, "Call todo_list to see the entries there are."),
  timed_out: row(408, 1, "Give it more time.", true),
  cancelled: row(409, 130, "Resume it with `oxbow run --resume TASK`."),
  provider_missing: row(
    400,
    2,
    "Set OPENAI_API_KEY or ANTHROPIC_API_KEY (OPENAI_BASE_URL for a compatible server), or give --runtime command --command '…', or give --script FILE.",
  ),
  provider_unknown: row(400, 2, "Use --provider openai, openai_chat, anthropic, claude-code or scripted."),
  provider_failed: row(
    502,
    1,
    "Look at the provider's message; check the key, the model and the base URL.",
    true,
  ),
  script_invalid: row(400, 2, "Correct the script file; docs/scripted.md shows its form."),
  command_invalid: row(400, 2, "Give a program and its arguments; shell operators are not interpreted."),
  command_failed: row(500, 1, "Look at the command's output in the report."),
  command_rejected: row(
    403,
    1,
    "Use a command that TERMINAL_ALLOWED_COMMANDS allows, without shell syntax; `oxbow env` shows the list.",
  ),
  setup_failed: row(
    500,
    1,
    "Run it by hand in a clone of the commit; correct workspace.setup in the team file, or what it needs.",
  ),
  workspace_link: row(
    400,
    2,
    "Make what workspace.link names in your checkout (npm ci, say), or take it out of the team file.",
  ),
  sandbox_missing: row(
    500,
    2,
    "Install bubblewrap and allow user namespaces (`oxbow doctor` says what is missing), or set TERMINAL_SANDBOX=auto.",
  ),
  model_behaviour: row(
    502,
    1,
    "The model answered with something that cannot be used; try again or use another model.",
  ),
  model_refused: row(
    502,
    1,
    "The model or its provider declined; word the task differently, or use another model.",
  ),
  answer_truncated: row(
    502,
    1,
    "The model's answer was longer than it may be; ask for less at once, or use a model that may say more.",
  ),
  max_turns: row(500, 1, "Raise defaults.max_turns, or give the agent a smaller task."),
  dependency_failed: row(409, 1, "Fix what it depends on first, then run the task again."),
  worker_lost: row(
    500,
    1,
    "The process that ran it died; run it again with `oxbow run --resume TASK`.",
    true,
  ),
  subtask_unknown: row(404, 2, "Run `oxbow status` to see the tasks and their subtasks."),
  subtask_active: row(409, 2, "Cancel it first with `oxbow cancel SUBTASK`, then try again."),
  nothing_to_retry: row(409, 2, "Only parts that failed, were cancelled or timed out are tried again."),
  attempts_exhausted: row(500, 1, "Look at what broke each attempt, then `oxbow retry SUBTASK`."),
  agent_disabled: row(503, 1, "Correct what makes it crash, or `oxbow assign SUBTASK AGENT`."),
  agent_unavailable: row(503, 1, "Start a worker that takes it, or `oxbow assign SUBTASK AGENT`."),
  agent_critical: row(409, 1, "A critical agent crashed; correct that, then `oxbow retry TASK`."),
  interrupted: row(409, 1, "Look at what there is before you call it again."),
  agent_stuck: row(504, 70, "Raise response_timeout_ms of the agent, or look at what keeps it.", true),
  store_failed: row(500, 70, "Check the disk and the state directory with `oxbow doctor`.", true),
  store_unsupported: row(
    400,
    2,
    "Use OXBOW_STORE_URL=sqlite:FILE or postgres://USER@HOST/DATABASE, or leave it unset.",
  ),
  redis_failed: row(
    503,
    70,
    "Check that REDIS_URL names a Redis that runs and lets you in, or leave it unset: signals then go through the store.",
    true,
  ),
  redis_unsuitable: row(400, 2, "Use a Redis 7 that keeps what it is given, or leave REDIS_URL unset."),
  tool_disabled: row(403, 1, "Turn the tool on with its environment flag."),
  tool_input: row(400, 1, "Correct the arguments of the tool call."),
  tool_unknown: row(404, 1, "Call one of the tools you were given."),
  runtime_not_available: row(400, 2, "Use runtime openai_agents or command."),
  salvage_unknown: row(404, 2, "Run `oxbow salvage` to see what there is."),
  repository_locked: row(
    409,
    70,
    "Another Git is at work in the repository: try again. If none is, remove the lock file.",
    true,
  ),
  unlanded_work: row(409, 2, "Settle the rest first, or take what is there so far with --partial."),
  unmerged_work: row(409, 2, "Make branches of it first (`oxbow salvage`), or lose it with --force."),
  merge_conflict: row(409, 1, "Settle it with `oxbow conflicts show TICKET`, then run the task again."),
  verify_failed: row(
    500,
    1,
    "Look at the log of the command; correct the branch, or `verify:` in the team file.",
  ),
  side_dropped: row(
    409,
    1,
    "Keep what both sides added and removed, or waive by name what is to be left out.",
  ),
  rework_failed: row(
    500,
    1,
    "Look at what the rework said; settle it by hand with `oxbow conflicts show TICKET`.",
  ),
  dependency_not_landed: row(409, 1, "Have what it depends on land first; it is merged after that."),
  codeowners_invalid: row(
    400,
    2,
    "Correct the CODEOWNERS file at the line shown, or write team.yaml by hand.",
  ),
  conflict_unknown: row(
    404,
    2,
    "Run `oxbow conflicts list`, and `oxbow conflicts show TICKET` for the paths.",
  ),
  address_in_use: row(409, 2, "Give another port with --port and --metrics-port; 0 takes any free one."),
  token_required: row(
    400,
    2,
    "Make one first with `oxbow token create --name NAME --scope read`, or listen on 127.0.0.1.",
  ),
  token_missing: row(401, 2, "Send `Authorization: Bearer TOKEN`; `oxbow token create` makes one."),
  token_rejected: row(401, 2, "Make a new one with `oxbow token create`."),
  token_unknown: row(404, 2, "Run `oxbow token list` to see the tokens there are."),
  token_taken: row(409, 2, "Give another name, or revoke the old token first."),
  scope_missing: row(403, 2, "Use a token with that scope; `oxbow token list` shows what each may do."),
  origin_refused: row(
    403,
    2,
    "Call it under the address it listens on; pages of another site need `oxbow serve --allow-origin`.",
  ),
  host_malformed: row(400, 2, "Send one Host header: the address that is called, with its port."),
  request_invalid: row(400, 2, "Correct the fields named; /openapi.json says what is expected."),
  request_timeout: row(408, 2, "Send the whole request in one go.", true),
  request_too_large: row(413, 2, "Send less, or send references."),
  headers_too_large: row(431, 2, "Send fewer or shorter headers."),
  route_unknown: row(404, 2, "/openapi.json lists what there is."),
  method_not_allowed: row(405, 2, "Use a method of the Allow header."),
  not_acceptable: row(406, 2, "Ask for a media type that is offered, or send no Accept header."),
  media_type_unsupported: row(415, 2, "Send JSON with `Content-Type: application/json`."),
  budget_exceeded: row(409, 1, "Raise the budget, or ask for less; what is done so far is kept."),
  webhook_unknown: row(404, 2, "Run `oxbow webhook list` to see the webhooks there are."),
  webhook_refused: row(
    400,
    2,
    "Use an https URL of a public host; OXBOW_WEBHOOK_ALLOW_PRIVATE=1 also allows your own network.",
  ),
  service_stopping: row(503, 70, "Call again when the service is back; what was begun goes on.", true),
  event_unknown: row(
    410,
    2,
    "Begin again without `after`, or with 0 for the first event that is kept; ask for the tasks once more.",
  ),
  slow_reader: row(408, 1, "Go on after the last event that came; read faster, or filter.", true),
  upgrade_required: row(426, 2, "Call it with a WebSocket client."),
  plugin_failed: row(400, 2, "Correct the plugin and commit it: plugins are read from the base commit."),
  mcp_unavailable: row(503, 1, "Go on without the tools of this server, or try again later.", true),
  mcp_tool_failed: row(502, 1, "Look at what the server said; correct the arguments, or go on without."),
  internal: row(500, 70, "This is a defect in Oxbow; please report it with the log."),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** A failure with a code from {@link ERRORS}. Recognise it by `code`, never by `instanceof`. */
export class OxbowError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  /** Machine-readable facts, such as `{ line, column }` or `{ path, owner }`. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string; details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "OxbowError";
    this.code = code;
    this.hint = options.hint ?? ERRORS[code].hint;
    this.details = options.details ?? {};
  }
}

export interface ErrorValue {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** True for any error that carries a code of the table, whichever copy of the library made it. */
export function hasCode(error: unknown, code?: ErrorCode): error is OxbowError {
  if (typeof error !== "object" || error === null || !("code" in error)) return false;
  const found: unknown = error.code;
  if (typeof found !== "string" || !Object.hasOwn(ERRORS, found)) return false;
  return code === undefined || found === code;
}

/** The one shape in which errors leave through a door. */
export function toErrorValue(error: unknown): ErrorValue {
  if (hasCode(error)) return { code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal", message, hint: ERRORS.internal.hint };
}

export { COMMAND_CODES, type CommandCode, PATH_CODES, type PathCode } from "./verdict-codes.ts";

/** The codes of `checkWebhookUrl`: why a URL gets no webhook, in words a program can rely on. */
export const WEBHOOK_CODES = {
  ok: "The webhook may be sent there.",
  // The URL
  too_long: "The URL has more than 2,048 characters.",
  hidden_character: "The URL contains a control, invisible or bidirectional character.",
  malformed: "It is no absolute URL, or one that programs read in different ways.",
  not_https: "It is not an https URL.",
  userinfo: "It carries a user name or a password.",
  port: "The port is neither 443 nor one from 1024 up that browsers allow.",
  local_name: "The host is a name of this machine or of a private network.",
  // What the host resolved to
  no_address: "The host has no address.",
  bad_address: "An address is not written as an IP address, or has a zone.",
  address_mismatch: "The host is an IP address, and it resolved to another one.",
  loopback: "An address is this machine itself.",
  private: "An address belongs to a private network.",
  shared: "An address belongs to a carrier's shared network (100.64.0.0/10).",
  link_local: "An address is only valid on one link.",
  metadata: "An address is where a cloud hands out credentials.",
  unspecified: "An address means any address of this machine.",
  multicast: "An address is a multicast or broadcast address.",
  transition: "An address hides an IPv4 address (mapped, NAT64, 6to4, Teredo).",
  special_purpose: "An address is reserved, or for documentation, tests or protocols.",
} as const satisfies Record<string, string>;

export type WebhookCode = keyof typeof WEBHOOK_CODES;

/** The codes of `checkOrigin`: why a request is refused before anything of it is read. */
export const ORIGIN_CODES = {
  ok: "The request may go on.",
  host_missing: "It has no Host.",
  host_malformed: "Its Host is not one name or address with at most a port.",
  host_foreign: "Its Host names neither this machine's loopback nor the address that is served.",
  host_port: "Its Host names another port.",
  origin_null: "Its Origin is `null`: a page that hides where it came from.",
  origin_malformed: "Its Origin is not one scheme, host and port.",
  origin_foreign: "Its Origin is another site that is not on the list.",
  token_missing: "It comes from the network and carries no token.",
} as const satisfies Record<string, string>;

export type OriginCode = keyof typeof ORIGIN_CODES;
