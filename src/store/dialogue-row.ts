/** A conversation of a person with one agent, and who answers. Times are Unix milliseconds. */
export interface DialogueRow {
  conversation_id: string;
  team: string;
  agent: string;
  topology: string;
  messages: number;
  unanswered: number;
  /** `seq` of the last message of the person that has its answer. */
  answered_seq: number;
  worker_id: string | null;
  /** Grows with every claim. */
  token: number;
  /** How often somebody began to answer the message that waits. */
  attempts: number;
  expires_at: number;
  created_at: number;
  updated_at: number;
}
