/// <reference lib="esnext.disposable" preserve="true" />
/** The package's face. The list of names is guarded by test/library/exports.test.ts. */
export {
  allocateBranch,
  orchestrateSplit,
  signalSend,
  signalWait,
  signalWaitAll,
  signalWaitAny,
} from "./library-default.ts";
export { openApp } from "./library.ts";
export { AgentRunner } from "./library-runner.ts";
export { TeamRegistry } from "./library-team.ts";
export { createSubAgents, registerMergeStrategy } from "./sub-agents.ts";
export { registerTool } from "./toolbox.ts";

export { branchName } from "./core/branch-name.ts";
export { createBudget } from "./core/budget.ts";
export { checkResolution } from "./core/resolution.ts";
export { checkOrigin } from "./core/check-origin.ts";
export { OxbowError } from "./core/errors.ts";
export { weighEvidence } from "./core/evidence.ts";
export { evidenceMovement } from "./core/evidence-stop.ts";
export { createOwnership } from "./core/ownership.ts";
export { rankAgents } from "./core/plan-agents.ts";
export { createRedactor } from "./core/redact.ts";
export { createSupervision } from "./core/supervision.ts";
export { checkWebhookUrl } from "./core/webhook-url.ts";
export { checkCommand, checkPath } from "./library-paths.ts";

export type {
  AllocateBranchOptions,
  AppOptions,
  LastIds,
  OxbowApp,
  PlanTaskOptions,
  RunTaskOptions,
  SignalAllResult,
  SignalAnyResult,
  WorkerEvent,
  WorkerOptions,
} from "./library.ts";
export type { AgentRun, AgentRunnerOptions } from "./library-runner.ts";
export type { NewTool } from "./toolbox.ts";
export type { OxbowPlugin, PluginHost } from "./plugins.ts";
export type {
  FunctionProvider,
  ModelMessage,
  ModelQuestion,
  ModelReply,
  NewProvider,
  ServerProvider,
  TokenPrice,
} from "./core/plugin-provider.ts";
export type { SubAgents, SubAgentsOptions, SubAgentsRun } from "./sub-agents.ts";
export type {
  ParallelResult,
  SpendLimit,
  SubAgentCall,
  SubAgentResult,
  SubAgentRunner,
  SubAgentSpec,
} from "./agent/parallel.ts";
export type { RunnerEvent, RunResult } from "./agent/result.ts";
export type {
  Budget,
  BudgetLeft,
  BudgetLimit,
  BudgetRefusal,
  BudgetState,
  BudgetUnit,
  BudgetUse,
  BudgetVerdict,
} from "./core/budget.ts";
export type { BudgetAsk, BudgetSummary, TaskBudget } from "./core/budget-saved.ts";
export type { OriginOptions, OriginRequest, OriginVerdict } from "./core/check-origin.ts";
export type { CommandOptions, CommandVerdict } from "./core/check-command.ts";
export type { PathFs, PathOp, PathOptions, PathVerdict } from "./core/check-path.ts";
export type { CommandCode, ErrorCode, ErrorValue, OriginCode, PathCode, WebhookCode } from "./core/errors.ts";
export type { EventBody, OxbowEvent, Report, ReportChild, ReportState } from "./core/events.ts";
export type {
  CheckResult,
  Disagreement,
  Distance,
  Distribution,
  Evidence,
  EvidenceOptions,
  FieldEvidence,
  FieldKind,
  FieldRule,
} from "./core/evidence.ts";
export type { AgentShare, EvidenceBundle, EvidenceCheck, EvidenceRun } from "./core/evidence-bundle.ts";
export type { AgentOutput, MergedAnswer, MergeStrategy } from "./core/merge-strategy.ts";
export type {
  Approval,
  Conflict,
  Json,
  Outcome,
  OutcomeKind,
  Subtask,
  SubtaskState,
  Task,
  TaskState,
  Usage,
} from "./core/model.ts";
export type { Ownership } from "./core/ownership.ts";
export type { FileList, Plan, Planner, PlanOverlap, PlanProblem, PlanSubtask } from "./core/plan.ts";
export type { AgentFit, AgentLoad, AgentNeed, AgentTraits } from "./core/plan-agents.ts";
export type { Redactor, RedactorOptions, RedactorStream } from "./core/redact.ts";
export type { NewAgent, RegisteredOwner } from "./core/registry.ts";
export type { AgentSpec, TeamFile } from "./core/team-file.ts";
export type {
  BarrierRequest,
  SignalMessage,
  SignalTimeout,
  SplitChild,
  SplitRequest,
  SplitResult,
  ToolContext,
  ToolDef,
  ToolFlag,
} from "./core/tool.ts";
export type {
  ExitReason,
  Restart,
  Strategy,
  Supervision,
  SupervisionAction,
  SupervisionSpec,
} from "./core/supervision.ts";
export type { WebhookOptions, WebhookVerdict } from "./core/webhook-url.ts";
export type { WebhookEvents } from "./core/webhook-events.ts";
export type { AddedWebhook, ShownTry, ShownWebhook, TestedWebhook } from "./core/webhooks.ts";
export type { Webhooks } from "./webhooks.ts";
export type { BranchAllocation } from "./git/contract.ts";
export type { ShownApproval } from "./team/approvals.ts";
export type { ScopeCheck } from "./team/scope-verdict.ts";
export type {
  Dropped,
  DroppedChange,
  FileVersion,
  LeftMarker,
  ResolutionCheck,
  ResolutionSide,
  ResolvedFile,
  Waiver,
} from "./core/resolution.ts";
export type {
  ConflictCase,
  ConflictFilter,
  Conflicts,
  ResolveWith,
  SettledConflict,
  SettledHow,
  ShownConflict,
  TakeSide,
} from "./team/conflict-case.ts";
export type { AgentState, Alert, Assigned, Cancelled, Reopened } from "./team/intervention-results.ts";
export type { TaskStatus } from "./team/status.ts";
export type { BranchDiff, TicketDiff, TicketHistory } from "./team/handover-results.ts";
export type { Execution } from "./core/execution.ts";
export type { TaskView } from "./core/task-view.ts";
export type { OrchestrateCalls } from "./orchestration.ts";
export type { HandoverCalls, Merged, MergeOptions } from "./handover-calls.ts";
