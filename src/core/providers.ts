/** Names of providers that mean something outside of the room that has them. */

/** Its agents are programs: `claude -p`. */
export const CLAUDE_CODE = "claude-code";
