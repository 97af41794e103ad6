/** A collector of traces on loopback: takes OTLP/HTTP in JSON and keeps the spans. */
import { once } from "node:events";
import { createServer } from "node:http";

export interface ReceivedSpan {
  readonly name: string;
  /** Of whoever sent it. */
  readonly service: unknown;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly isError: boolean;
}

export interface OtlpReceiver extends AsyncDisposable {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Everything that came, as text. */
  readonly bodies: readonly string[];
  readonly headers: readonly Readonly<Record<string, string | string[] | undefined>>[];
}

/** `hangs`: takes requests and never answers. */
export async function startOtlpReceiver(options: { hangs?: boolean } = {}): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  const headers: Record<string, string | string[] | undefined>[] = [];
  const server = createServer((request, response) => {
    let body = "";
    headers.push(request.headers);
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      bodies.push(body);
      if (options.hangs) return;
      spans.push(...spansOf(JSON.parse(body)));
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const at = server.address();
  const port = typeof at === "object" && at !== null ? at.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    bodies,
    headers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function spansOf(body: any): ReceivedSpan[] {
  return body.resourceSpans.flatMap((resource: any) =>
    resource.scopeSpans.flatMap((scope: any) =>
      scope.spans.map(
        (span: any): ReceivedSpan => ({
          name: span.name,
          service: attributesOf(resource.resource)["service.name"],
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId ?? "",
          attributes: attributesOf(span),
          isError: span.status?.code === 2,
        }),
      ),
    ),
  );
}

function attributesOf({ attributes }: any): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }: any) => [key, Object.values(value)[0]]));
}
