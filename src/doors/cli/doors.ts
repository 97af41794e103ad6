/** The other doors as the command line starts them. It never imports them: `src/doors/main.ts` hands it their loaders. */
import type { App } from "../../app.ts";

export interface Doors {
  http(): Promise<HttpDoor>;
  mcp(): Promise<McpDoor>;
}

export interface McpDoor {
  /** Serves one client over stdin and stdout until stdin ends or `signal` aborts. `failed` is told what broke, a line each. */
  serve(
    app: App,
    options: { readonly version: string; readonly failed: (line: string) => void },
    signal: AbortSignal,
  ): Promise<void>;
}

export interface HttpDoor {
  /**
   * Listens and works until `signal` aborts, then drains; `listening` is told the addresses once both accept connections.
   * Throws token_required, address_in_use, setting_invalid.
   */
  serve(
    app: App,
    options: ServeOptions,
    listening: (at: ListeningAt) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface ServeOptions {
  readonly host: string;
  /** 0: any free one, as for `metricsPort`. */
  readonly port: number;
  readonly metricsPort: number;
  readonly metricsOpen?: boolean | undefined;
  readonly requireToken?: boolean | undefined;
  readonly allowOrigin?: readonly string[] | undefined;
  readonly work?: boolean | undefined;
  readonly concurrency?: number | undefined;
  readonly version?: string | undefined;
}

/** URLs without a path. */
export interface ListeningAt {
  readonly url: string;
  readonly metrics_url: string;
}
