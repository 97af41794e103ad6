/** Who answers people: takes conversations that wait by lease, a few at once, and hands back what is not done at its end. */
import type { Message } from "../core/model.ts";
import type { DialogueTurn } from "../store/dialogues.ts";
import type { Engine } from "./engine.ts";
import { hasCode } from "../core/errors.ts";
import { STOP } from "../core/stop.ts";
import { answerTurn, type DialogueAnswer } from "./dialogue.ts";
import { messageEvent } from "./dialogue-messages.ts";
import { checkStartable, NO_OPTIONS } from "./engine.ts";
import { renewalMs } from "./leases.ts";
import { repeatedly } from "./repeatedly.ts";

export interface DialogueDesk {
  /** Begins to answer what waits for those of these agents whose model can be called here, as far as there is room. */
  look(engine: Engine, agents: readonly string[]): Promise<void>;
  /** The same for one agent, also when that can only end in an error. */
  insist(engine: Engine, agent: string): Promise<void>;
  /** Hands back what is not answered, and waits for that. */
  close(): Promise<void>;
}

/** Answers at once in one process. */
const PLACES = 8;

export function createDialogueDesk(failed: (error: unknown) => void): DialogueDesk {
  const stop = new AbortController();
  const running = new Set<Promise<void>>();

  const take = async (
    engine: Engine,
    able: (waiting: readonly string[]) => readonly string[],
  ): Promise<void> => {
    const { store, team, workerId, settings } = engine;
    const waiting = await store.people.dialogues.waiting(team.team);
    // Nearly always: one look is all that this costs.
    if (waiting.length === 0) return;
    const agents = able([...new Set(waiting.map(({ agent }) => agent))]);
    await freeDead(engine, new Set(waiting.map(({ worker }) => worker)));
    while (running.size < PLACES && !stop.signal.aborted) {
      const turn = await store.people.dialogues.claim({
        team: team.team,
        agents,
        workerId,
        leaseMs: settings.oxbowLeaseMs,
      });
      if (turn === null) return;
      const answering: Promise<void> = answer(engine, turn, stop.signal, failed)
        .catch(failed)
        .finally(() => {
          running.delete(answering);
          // There may be another that waited for the place, or the next message of the same conversation.
          if (!stop.signal.aborted) take(engine, able).catch(failed);
        });
      running.add(answering);
    }
  };
  return {
    look: (engine, agents) =>
      take(engine, (waiting) =>
        startable(
          engine,
          waiting.filter((name) => agents.includes(name)),
        ),
      ),
    insist: (engine, agent) => take(engine, () => [agent]),
    async close() {
      stop.abort(STOP.handBack);
      await Promise.all(running);
    },
  };
}

function startable(engine: Engine, agents: readonly string[]): readonly string[] {
  return agents.filter((name) => {
    const agent = engine.registry.get(name);
    try {
      if (agent !== null) checkStartable(engine, NO_OPTIONS, agent);
      return agent !== null;
    } catch (error) {
      if (hasCode(error)) return false;
      throw error;
    }
  });
}

async function freeDead({ store, workerIsDead }: Engine, holders: ReadonlySet<string | null>): Promise<void> {
  for (const holder of holders)
    if (holder !== null && workerIsDead(holder)) await store.people.dialogues.free(holder);
}

async function answer(
  engine: Engine,
  turn: DialogueTurn,
  stopped: AbortSignal,
  failed: (error: unknown) => void,
): Promise<void> {
  const { dialogues } = engine.store.people;
  const { oxbowLeaseMs } = engine.settings;
  const lost = new AbortController();
  const renew = async () => {
    if (!(await dialogues.renew(turn, oxbowLeaseMs))) lost.abort(STOP.leaseLost);
  };
  const renewing = repeatedly(renewalMs(oxbowLeaseMs), renew, failed);
  try {
    const made = await answerTurn(engine, turn, AbortSignal.any([stopped, lost.signal]));
    if (made === null) return await dialogues.release(turn);
    const message = replyTo(engine, turn, made);
    await dialogues.answer(turn, message, messageEvent(message));
  } finally {
    renewing.stop();
  }
}

function replyTo(engine: Engine, turn: DialogueTurn, { type, content, metadata }: DialogueAnswer): Message {
  return {
    id: engine.newId("m"),
    conversation_id: turn.conversation_id,
    sender: turn.agent,
    recipients: [turn.message.sender],
    content,
    timestamp: engine.now(),
    type,
    topology: turn.message.topology,
    metadata: { ...metadata, in_reply_to: turn.message.id },
  };
}
