/** How a planned task is begun. */
export interface Execution {
  /** `auto`: nothing waits but what the plan says. `manual`: every subtask waits for a person, or those of `checkpoints`. */
  readonly mode: "auto" | "manual";
  /** Subtask ids that wait for a person, whatever the mode. */
  readonly checkpoints?: readonly string[] | undefined;
}
