/**
 * The one door to @openai/agents. The library is loaded on first use, because it costs three hundred milliseconds that
 * `oxbow --help` must not pay, and its trace exporter is taken out at once: traces hold prompts and file contents.
 */
export type Sdk = typeof import("@openai/agents");

let loading: Promise<Sdk> | undefined;

export function loadSdk(): Promise<Sdk> {
  loading ??= import("@openai/agents").then((sdk) => {
    sdk.setTracingDisabled(true);
    sdk.setTraceProcessors([]);
    return sdk;
  });
  return loading;
}
