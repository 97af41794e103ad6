/** The other doors as the command line starts them. It never imports them: `src/doors/main.ts` hands it their loaders. */
import type { App } from "../../app.ts";

export interface Doors {
  http(): Promise<HttpDoor>;
}

export interface HttpDoor {
  /**
   * Listens and works until `signal` aborts, then drains; `listening` is told the addresses once both accept connections.
   * Throws setting_invalid for an address that cannot be listened on.
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
}

/** URLs without a path. */
export interface ListeningAt {
  readonly url: string;
  readonly metrics_url: string;
}
