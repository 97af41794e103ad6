/** How a failure leaves this door: `application/problem+json` (RFC 9457) with the code and hint of the table of errors. */
import { z } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import { requestInvalid } from "../../core/request-invalid.ts";
import { ERRORS, type ErrorCode, hasCode, OxbowError } from "../../core/errors.ts";

export const problemSchema = z
  .object({
    type: z.string().openapi({ description: "`urn:oxbow:problem:` and the code." }),
    title: z.string(),
    status: z.int(),
    detail: z.string().openapi({ description: "What went wrong, for people." }),
    code: z.string().openapi({ description: "What went wrong, for programs." }),
    hint: z.string().openapi({ description: "What to do about it." }),
    request_id: z.string().openapi({ description: "As in the header X-Request-Id and in the log." }),
    fields: z
      .array(z.object({ field: z.string(), issue: z.string() }))
      .optional()
      .openapi({ description: "What of the request is wrong." }),
    task_id: z.string().optional(),
    subtasks: z
      .array(z.object({ subtask_id: z.string(), agent: z.string(), state: z.string() }))
      .optional()
      .openapi({ description: "The parts of the task that it is about." }),
  })
  .openapi("Problem");

export type Problem = z.infer<typeof problemSchema>;

const WHERE: Readonly<Record<string, string>> = { query: "The query", param: "The path", json: "The body" };

/** Of a failed check of a query, a path or a body. */
export function invalidFields(target: string, issues: Parameters<typeof requestInvalid>[1]): OxbowError {
  return requestInvalid(WHERE[target] ?? "The request", issues);
}

/** Of one thing that is wrong. */
export function invalidField(field: string, issue: string): OxbowError {
  return new OxbowError("request_invalid", field === "" ? issue : `${field}: ${issue}`, {
    details: { fields: [{ field, issue }] },
  });
}

/** The error in words of the table, whatever was thrown. */
export function toOxbowError(error: unknown): OxbowError {
  if (error instanceof OxbowError) return error;
  if (error instanceof HTTPException) {
    if (error.status === 415)
      return new OxbowError("media_type_unsupported", "The body is not of a type that is understood here.");
    if (error.status === 413) return new OxbowError("request_too_large", "The body is too large.");
    if (error.status < 500) return invalidField("", error.message);
  }
  const code = hasCode(error) ? error.code : "internal";
  return new OxbowError(code, error instanceof Error ? error.message : String(error), { cause: error });
}

/** `redact` runs over what is shown. A defect's own words stay in the log. */
export function problemOf(
  error: OxbowError,
  requestId: string,
  redact: (text: string) => string = (text) => text,
): Problem {
  const { code, hint, message, details } = error;
  const detail = code === "internal" ? "Something broke in the service; its log has more." : redact(message);
  const words = code.replaceAll("_", " ");
  return {
    type: `urn:oxbow:problem:${code}`,
    title: `${words.charAt(0).toUpperCase()}${words.slice(1)}`,
    status: statusOf(code),
    detail,
    code,
    hint,
    request_id: requestId,
    ...fieldsOf(details["fields"], redact),
    ...aboutTask(details),
  };
}

const taskId = z.string();
const subtasks = z.array(z.object({ subtask_id: z.string(), agent: z.string(), state: z.string() }));

function aboutTask(details: Readonly<Record<string, unknown>>): Pick<Problem, "task_id" | "subtasks"> {
  const [id, parts] = [taskId.safeParse(details["task_id"]), subtasks.safeParse(details["subtasks"])];
  return { ...(id.success ? { task_id: id.data } : {}), ...(parts.success ? { subtasks: parts.data } : {}) };
}

export function statusOf(code: ErrorCode): number {
  return ERRORS[code].status;
}

export const PROBLEM_TYPE = "application/problem+json";

export function problemResponse(problem: Problem, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "content-type": PROBLEM_TYPE, ...told(problem.status), ...headers },
  });
}

function told(status: number): Record<string, string> {
  if (status === 401) return { "www-authenticate": 'Bearer realm="oxbow"' };
  return status === 503 ? { "retry-after": "5" } : {};
}

const shownFields = z.array(z.object({ field: z.string(), issue: z.string() }));

function fieldsOf(given: unknown, redact: (text: string) => string): Pick<Problem, "fields"> {
  const fields = shownFields.safeParse(given);
  if (!fields.success) return {};
  return { fields: fields.data.map(({ field, issue }) => ({ field: redact(field), issue: redact(issue) })) };
}
