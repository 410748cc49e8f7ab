import { leaderOf, QuorumgateError } from "#base";
import type { RestoredLog } from "../core.ts";
import { readProposal } from "../proposing.ts";
import { VoteGuard } from "../vote-guard.ts";
import { decodePbftMessage, decodePrepared } from "./codec.ts";
import type { PbftMessage, Propose } from "./messages.ts";
import { readKey } from "./records.ts";
import type { PbftState } from "./state.ts";

/**
 * Puts a core back where it stood (rule G2): view, accepted proposal, prepared certificate, and what the new-view demands.
 * @throws {QuorumgateError} STORAGE_CORRUPT and format errors
 */
export function restoreRecords(state: PbftState, restored: RestoredLog): void {
  const { epoch } = state.settings.membership;
  state.establishedView = state.tip.certificate?.epoch === epoch ? state.tip.view : 0;
  const proposals: Propose[] = [];
  for (const record of restored.records) {
    const { kind, height } = readKey(record.key);
    state.records.add(record.key);
    if (kind === "new-view") restoreNewView(state, record.bytes);
    else if (!state.isInWindow(height)) continue;
    else if (kind === "prepared") restorePrepared(state, height, record.bytes);
    else if (kind === "proposal") proposals.push(readRecord(record.bytes, "propose"));
    else throw corrupt();
  }
  // A view in which this node voted was established, by a certificate too that is the tip's no more.
  const voted = [...proposals.map(({ view }) => view), ...state.slots().map(({ prepared }) => prepared?.view ?? 0)];
  state.establishedView = Math.max(state.establishedView, ...voted);
  state.view = Math.max(state.establishedView, new VoteGuard(restored.guard).highestView({ epoch, height: state.height }));
  state.changing = state.view > state.establishedView;
  for (const message of proposals) restoreProposal(state, message);
}

function restorePrepared(state: PbftState, height: number, bytes: Uint8Array): void {
  const prepared = decodePrepared(bytes);
  if (state.settings.rules.restoresCertificates) state.slot(height).prepared = prepared;
}

function restoreNewView(state: PbftState, bytes: Uint8Array): void {
  const message = readRecord(bytes, "new-view");
  if (message.view < state.establishedView) return;
  state.establishedView = message.view;
  const { height, view, viewChanges } = message;
  if (leaderOf(state.settings.membership, view) === state.settings.self) state.sent.newView = message;
  state.demand = { height, view, digests: state.settings.rules.demandedChain(viewChanges) };
}

function restoreProposal(state: PbftState, message: Propose): void {
  const proposal = readProposal(state.settings.hasher, message);
  if (proposal === undefined) throw corrupt();
  const slot = state.slot(proposal.header.height);
  state.keepBody(slot, proposal);
  if (message.view === state.view && !state.changing) slot.accepted = { proposal, view: message.view, signature: message.signature };
}

function readRecord<T extends PbftMessage["type"]>(bytes: Uint8Array, type: T): Extract<PbftMessage, { type: T }> {
  const message = decodePbftMessage(bytes);
  if (message.type !== type) throw corrupt();
  return message as Extract<PbftMessage, { type: T }>;
}

function corrupt(): QuorumgateError {
  return new QuorumgateError("STORAGE_CORRUPT", "a record of the consensus core is of the wrong kind");
}
