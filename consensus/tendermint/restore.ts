import { QuorumgateError } from "#base";
import type { RestoredLog } from "../core.ts";
import { readProposal } from "../proposing.ts";
import { VoteGuard } from "../vote-guard.ts";
import { decodeRecord } from "./codec.ts";
import type { TendermintMessage } from "./messages.ts";
import { ROUND_KEY } from "./records.ts";
import type { TendermintState } from "./state.ts";

/**
 * Puts a core back where it stood: round, step, lock, newest valid value, and what it said. A vote whose record was lost while the guard's was
 * kept is not given again in that round: the guard refuses any other, and the round passes without it.
 * @throws {QuorumgateError} STORAGE_CORRUPT and format errors
 */
export function restoreRecords(state: TendermintState, restored: RestoredLog): void {
  const { height, epoch } = state;
  state.round = new VoteGuard(restored.guard, "height").highestView({ epoch, height });
  for (const { key, bytes } of restored.records) {
    state.records.add(key);
    const message = decodeRecord(bytes);
    if (message.height === height && message.epoch === epoch) restoreMessage(state, key, message);
  }
  const { prevote, precommit } = state.sent;
  if (precommit?.view === state.round) state.step = "precommit";
  else if (prevote?.view === state.round) state.step = "prevote";
  state.begun = state.round > 0 || state.sent.prevote !== undefined;
}

function restoreMessage(state: TendermintState, key: string, message: TendermintMessage): void {
  const [kind] = key.split("/");
  if (kind === "body" && message.type === "round-proposal") return restoreBody(state, message);
  if (kind === "lock" && message.type === "polka") {
    state.locked = { round: message.view, digest: message.digest };
    state.valid = message;
    const round = state.at(message.view);
    if (round !== undefined) round.polka = message;
    return undefined;
  }
  if (kind === ROUND_KEY && message.type === "round-certificate") {
    state.entry = message;
    state.round = Math.max(state.round, message.view);
    return undefined;
  }
  if (kind !== "sent" || message.type === "polka" || message.type === "round-certificate") {
    throw new QuorumgateError("STORAGE_CORRUPT", "a record of the consensus core is of the wrong kind");
  }
  if (message.type === "round-proposal") {
    state.sent.proposal = message;
    return restoreBody(state, message);
  }
  const { digest, signature, view } = message;
  const own = { node: state.settings.self, digest, signature, verdict: "good" as const };
  if (message.type === "prevote") {
    state.sent.prevote = message;
    state.at(view)?.prevotes.add({ ...own, validRound: message.validRound });
  } else {
    state.sent.precommit = message;
    state.at(view)?.precommits.add({ ...own, validRound: -1 });
  }
  return undefined;
}

function restoreBody(state: TendermintState, message: Extract<TendermintMessage, { type: "round-proposal" }>): void {
  const proposal = readProposal(state.settings.hasher, message);
  if (proposal === undefined) throw new QuorumgateError("STORAGE_CORRUPT", "a value of the consensus core does not read");
  state.bodies.set(proposal.digest, proposal);
  const round = state.at(message.view);
  if (round !== undefined && round.proposal === undefined) {
    round.proposal = { proposal, validRound: message.validRound, signature: message.signature, verdict: "valid" };
  }
}
