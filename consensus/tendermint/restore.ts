import { QuorumgateError, VOTE_TYPE } from "#base";
import type { RestoredLog } from "../core.ts";
import { readProposal } from "../proposing.ts";
import { type GuardRecord, VoteGuard } from "../vote-guard.ts";
import { decodeRecord } from "./codec.ts";
import type { Precommit, Prevote, TendermintMessage } from "./messages.ts";
import { ROUND_KEY } from "./records.ts";
import { isNil, type TendermintState } from "./state.ts";

/**
 * Puts a core back where it stood: round, step, lock, newest valid value, and what it said.
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
  for (const record of restored.guard) restoreVote(state, record);
  const { prevote, precommit } = state.sent;
  if (precommit?.view === state.round) state.step = "precommit";
  else if (prevote?.view === state.round) state.step = "prevote";
  state.begun = state.round > 0 || state.sent.prevote !== undefined;
}

/**
 * A crash may have left the guard's record of a vote without the core's: the vote is the guard's then. Nobody else can give it again, and a
 * round may need it. The guard knows no valid round; that of a prevote is the one of the proposal that it answered.
 */
function restoreVote(state: TendermintState, { intent, signature }: GuardRecord): void {
  const { epoch, height, view, phase, digest, purpose } = intent;
  const isPresent = epoch === state.epoch && height === state.height && view === state.round;
  if (!isPresent || purpose !== "vote" || signature.length === 0) return;
  if (phase === VOTE_TYPE.tendermintPrecommit && state.sent.precommit?.view !== view) {
    restoreSaid(state, { type: "precommit", epoch, height, view, digest, signature });
  }
  if (phase !== VOTE_TYPE.tendermintPrevote || state.sent.prevote?.view === view) return;
  const answered = state.at(view)?.proposal;
  if (isNil(digest)) restoreSaid(state, { type: "prevote", epoch, height, view, digest, validRound: -1, signature });
  else if (answered?.proposal.digest === digest) {
    restoreSaid(state, { type: "prevote", epoch, height, view, digest, validRound: answered.validRound, signature });
  } else state.unsureRound = view;
}

function restoreMessage(state: TendermintState, key: string, message: TendermintMessage): void {
  const [kind] = key.split("/");
  if (kind === "body" && message.type === "round-proposal") return restoreBody(state, message);
  if (kind === "lock" && message.type === "polka") {
    if (!state.settings.rules.restoresLocks) return undefined;
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
  if (kind !== "sent" || (message.type !== "round-proposal" && message.type !== "prevote" && message.type !== "precommit")) {
    throw new QuorumgateError("STORAGE_CORRUPT", "a record of the consensus core is of the wrong kind");
  }
  if (message.type === "round-proposal") {
    state.sent.proposal = message;
    return restoreBody(state, message);
  }
  return restoreSaid(state, message);
}

function restoreSaid(state: TendermintState, message: Prevote | Precommit): void {
  const { digest, signature, view } = message;
  const own = { node: state.settings.self, digest, signature, verdict: "good" as const };
  if (message.type === "prevote") {
    state.sent.prevote = message;
    state.at(view)?.prevotes.add({ ...own, validRound: message.validRound });
  } else {
    state.sent.precommit = message;
    state.at(view)?.precommits.add({ ...own, validRound: -1 });
  }
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
