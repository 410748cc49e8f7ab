import { QuorumgateError } from "#base";
import type { WalRecord } from "../core.ts";
import { type GuardRecord, VoteGuard } from "../vote-guard.ts";
import { decodeMessage, decodePrepared } from "./codec.ts";
import type { NormalCase } from "./normal-case.ts";
import type { PbftState } from "./state.ts";

/** What the write-ahead log held; empty for a new node. */
export interface RestoredLog {
  readonly records: readonly WalRecord[];
  readonly guard: readonly GuardRecord[];
}

/**
 * Puts a core back where it stood (rule G2): view, accepted proposal, prepared certificate, and what the new-view demands.
 * @throws {QuorumgateError} STORAGE_CORRUPT and format errors
 */
export function restoreRecords(state: PbftState, normal: NormalCase, restored: RestoredLog): void {
  state.establishedView = state.tip.view;
  for (const record of restored.records) {
    if (record.kind === "new-view") restoreNewView(state, record.bytes);
    else if (record.kind === "prepared" && record.height === state.height) state.prepared = decodePrepared(record.bytes);
  }
  const promised = new VoteGuard(restored.guard).highestView;
  state.view = Math.max(state.establishedView, promised);
  state.changing = state.view > state.establishedView;
  if (state.demand?.view !== state.view) state.demand = undefined;
  for (const record of restored.records) {
    if (record.kind === "proposal" && record.height === state.height) restoreProposal(state, normal, record.bytes);
  }
}

function restoreNewView(state: PbftState, bytes: Uint8Array): void {
  const message = decodeMessage(bytes);
  if (message.type !== "new-view") throw corrupt();
  if (message.view < state.establishedView) return;
  state.establishedView = message.view;
  state.sent.newView = message;
  if (message.height !== state.height) return;
  state.demand = { height: message.height, view: message.view, digest: state.settings.rules.demandedDigest(message.viewChanges) };
}

function restoreProposal(state: PbftState, normal: NormalCase, bytes: Uint8Array): void {
  const message = decodeMessage(bytes);
  const proposal = message.type === "propose" ? normal.read(message) : undefined;
  if (message.type !== "propose" || proposal === undefined) throw corrupt();
  state.bodies.set(proposal.digest, proposal);
  if (message.view === state.view && !state.changing) state.accepted = { proposal, view: message.view, signature: message.signature };
}

function corrupt(): QuorumgateError {
  return new QuorumgateError("STORAGE_CORRUPT", "a record of the consensus core is of the wrong kind");
}
