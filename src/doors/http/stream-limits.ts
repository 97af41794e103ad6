/** What a stream may take up. Times in milliseconds. */
export interface StreamLimits {
  /** How often a quiet stream shows that it is there. */
  readonly beatMs: number;
  /** How long what was sent may wait to be taken. */
  readonly slowMs: number;
  /** How long somebody who is cut off has to take the reason. */
  readonly graceMs: number;
  /** Bytes that wait for one reader before no more are asked for. */
  readonly buffered: number;
  /** The largest message of a client, bytes. */
  readonly messageBytes: number;
}

export const STREAM_LIMITS: StreamLimits = {
  beatMs: 15_000,
  slowMs: 10_000,
  graceMs: 3_000,
  buffered: 262_144,
  messageBytes: 65_536,
};
