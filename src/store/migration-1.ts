/** Schema version 1. Column types are those every engine has. */
import {
  type ColumnDefinitionBuilder,
  type ColumnDataType,
  type CreateTableBuilder,
  sql,
  type Transaction,
} from "kysely";
import type { Engine } from "./engine.ts";
import type { Schema } from "./schema.ts";

const required = (column: ColumnDefinitionBuilder) => column.notNull();
const key = (column: ColumnDefinitionBuilder) => column.primaryKey();

type Columns = Readonly<Record<string, ColumnDataType | readonly [ColumnDataType, "null"]>>;

function withColumns<T extends string, C extends string>(table: CreateTableBuilder<T, C>, columns: Columns) {
  let built: CreateTableBuilder<T, string> = table;
  for (const [name, type] of Object.entries(columns)) {
    built = typeof type === "string" ? built.addColumn(name, type, required) : built.addColumn(name, type[0]);
  }
  return built;
}

const optionalText = ["text", "null"] as const;
const optionalTime = ["bigint", "null"] as const;

async function taskTables(db: Transaction<Schema>): Promise<void> {
  await withColumns(db.schema.createTable("tasks").addColumn("task_id", "text", key), {
    ticket: "text",
    title: "text",
    state: "text",
    base_ref: "text",
    base_commit: "text",
    team: "text",
    options: "text",
    body_hash: "text",
    created_at: "bigint",
    updated_at: "bigint",
  }).execute();
  await db.schema.createIndex("tasks_by_ticket").on("tasks").columns(["ticket", "created_at"]).execute();
  // Two live tasks never share a ticket, whoever asks.
  await db.schema
    .createIndex("tasks_live_ticket")
    .unique()
    .on("tasks")
    .column("ticket")
    .where(sql.ref("state"), "in", [sql.lit("planned"), sql.lit("running")])
    .execute();
  await withColumns(
    db.schema
      .createTable("conversations")
      .addColumn("conversation_id", "text", key)
      .addColumn("task_id", "text", (column) => column.references("tasks.task_id")),
    { parent_id: optionalText, agent: "text", created_at: "bigint" },
  ).execute();
  await withColumns(
    db.schema
      .createTable("subtasks")
      .addColumn("subtask_id", "text", key)
      .addColumn("task_id", "text", (column) => column.notNull().references("tasks.task_id"))
      .addColumn("conversation_id", "text", (column) =>
        column.notNull().unique().references("conversations.conversation_id"),
      ),
    {
      parent_conversation_id: optionalText,
      agent: "text",
      root: "integer",
      brief: "text",
      responsibilities: "text",
      allowed_paths: "text",
      done_topic: "text",
      depth: "integer",
      position: "integer",
      branch: optionalText,
      state: "text",
      created_at: "bigint",
    },
  ).execute();
  await db.schema.createIndex("subtasks_by_task").on("subtasks").column("task_id").execute();
  await withColumns(
    db.schema
      .createTable("dependencies")
      .addColumn("subtask_id", "text", (column) => column.notNull().references("subtasks.subtask_id"))
      .addColumn("depends_on", "text", (column) => column.notNull().references("subtasks.subtask_id")),
    { position: "integer" },
  )
    .addPrimaryKeyConstraint("dependencies_pk", ["subtask_id", "depends_on"])
    .execute();
  await db.schema.createIndex("dependencies_by_target").on("dependencies").column("depends_on").execute();
}

async function workTables(db: Transaction<Schema>, engine: Engine): Promise<void> {
  await withColumns(
    engine
      .sequence(db.schema.createTable("messages"))
      .addColumn("id", "text", (column) => column.notNull().unique())
      .addColumn("conversation_id", "text", (column) =>
        column.notNull().references("conversations.conversation_id"),
      ),
    {
      sender: "text",
      recipients: "text",
      content: "text",
      timestamp: "bigint",
      type: "text",
      topology: "text",
      metadata: "text",
      acked_at: optionalTime,
    },
  ).execute();
  await db.schema
    .createIndex("messages_by_conversation")
    .on("messages")
    .columns(["conversation_id", "seq"])
    .execute();
  await withColumns(
    db.schema
      .createTable("leases")
      .addColumn("conversation_id", "text", (column) =>
        column.primaryKey().references("conversations.conversation_id"),
      ),
    {
      task_id: "text",
      subtask_id: "text",
      agent: "text",
      message_seq: "bigint",
      state: "text",
      worker_id: optionalText,
      token: "bigint",
      attempt: "integer",
      expires_at: "bigint",
    },
  ).execute();
  await db.schema.createIndex("leases_ready").on("leases").columns(["state", "message_seq"]).execute();
  await db.schema
    .createIndex("leases_of_task")
    .on("leases")
    .columns(["task_id", "state", "message_seq"])
    .execute();
  await db.schema.createIndex("leases_expiring").on("leases").columns(["state", "expires_at"]).execute();
  await withColumns(
    db.schema
      .createTable("attempts")
      .addColumn("subtask_id", "text", (column) => column.notNull().references("subtasks.subtask_id")),
    {
      attempt: "integer",
      token: "bigint",
      worker_id: "text",
      state: "text",
      started_at: "bigint",
      ended_at: optionalTime,
      result: optionalText,
    },
  )
    .addPrimaryKeyConstraint("attempts_pk", ["subtask_id", "attempt"])
    .execute();
  await withColumns(
    db.schema
      .createTable("outcomes")
      .addColumn("subtask_id", "text", (column) => column.primaryKey().references("subtasks.subtask_id")),
    {
      conversation_id: "text",
      task_id: "text",
      agent: "text",
      outcome: "text",
      branch: optionalText,
      commit_id: optionalText,
      summary: "text",
      usage: "text",
      cost: ["double precision", "null"],
      error: optionalText,
      attempt: "integer",
      elapsed_ms: "bigint",
      created_at: "bigint",
    },
  ).execute();
  await db.schema.createIndex("outcomes_by_task").on("outcomes").column("task_id").execute();
}

async function streamTables(db: Transaction<Schema>, engine: Engine): Promise<void> {
  const stream = (name: string) => engine.sequence(db.schema.createTable(name));
  await withColumns(stream("events"), {
    task_id: "text",
    event: "text",
    body: "text",
    at: "bigint",
  }).execute();
  await db.schema.createIndex("events_by_task").on("events").columns(["task_id", "seq"]).execute();
  await withColumns(stream("status_history"), {
    task_id: "text",
    subtask_id: optionalText,
    from_state: optionalText,
    to_state: "text",
    who: "text",
    at: "bigint",
  }).execute();
  await db.schema
    .createIndex("status_history_by_task")
    .on("status_history")
    .columns(["task_id", "seq"])
    .execute();
  const signal = { topic: "text", event_id: "text", payload: "text" } as const;
  await withColumns(stream("outbox"), { ...signal, created_at: "bigint" })
    .addUniqueConstraint("outbox_once", ["topic", "event_id"])
    .execute();
  await withColumns(stream("topic_entries"), { ...signal, ts: "bigint" })
    .addUniqueConstraint("topic_entries_once", ["topic", "event_id"])
    .execute();
  await db.schema
    .createIndex("topic_entries_in_order")
    .on("topic_entries")
    .columns(["topic", "seq"])
    .execute();
  await withColumns(db.schema.createTable("cursors"), {
    conversation_id: "text",
    topic: "text",
    position: "text",
    updated_at: "bigint",
  })
    .addPrimaryKeyConstraint("cursors_pk", ["conversation_id", "topic"])
    .execute();
}

async function peopleTables(db: Transaction<Schema>): Promise<void> {
  await withColumns(db.schema.createTable("artifacts").addColumn("artifact_id", "text", key), {
    task_id: "text",
    subtask_id: optionalText,
    kind: "text",
    reference: "text",
    metadata: "text",
    created_at: "bigint",
  }).execute();
  await withColumns(db.schema.createTable("approvals").addColumn("approval_id", "text", key), {
    task_id: "text",
    subtask_id: optionalText,
    kind: "text",
    state: "text",
    reason: "text",
    request: "text",
    requested_by: "text",
    decided_by: optionalText,
    created_at: "bigint",
    decided_at: optionalTime,
  }).execute();
  await withColumns(db.schema.createTable("agents"), {
    team: "text",
    name: "text",
    spec: "text",
    state: "text",
    updated_at: "bigint",
  })
    .addPrimaryKeyConstraint("agents_pk", ["team", "name"])
    .execute();
}

export async function createTables(db: Transaction<Schema>, engine: Engine): Promise<void> {
  await taskTables(db);
  await workTables(db, engine);
  await streamTables(db, engine);
  await peopleTables(db);
}
