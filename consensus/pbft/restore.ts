import { QuorumgateError } from "#base";
import type { RestoredLog, WalRecord } from "../core.ts";
import { readProposal } from "../proposing.ts";
import { VoteGuard } from "../vote-guard.ts";
import { decodePbftMessage, decodePrepared } from "./codec.ts";
import { readKey } from "./records.ts";
import type { PbftState } from "./state.ts";

/**
 * Puts a core back where it stood (rule G2): view, accepted proposal, prepared certificate, and what the new-view demands.
 * @throws {QuorumgateError} STORAGE_CORRUPT and format errors
 */
export function restoreRecords(state: PbftState, restored: RestoredLog): void {
  const { epoch } = state.settings.membership;
  state.establishedView = state.tip.certificate?.epoch === epoch ? state.tip.view : 0;
  const proposals: WalRecord[] = [];
  for (const record of restored.records) {
    const { kind, height } = readKey(record.key);
    state.records.add(record.key);
    if (kind === "new-view") restoreNewView(state, record.bytes);
    else if (!state.isInWindow(height)) continue;
    else if (kind === "prepared") restorePrepared(state, height, record.bytes);
    else if (kind === "proposal") proposals.push(record);
    else throw corrupt();
  }
  state.view = Math.max(state.establishedView, new VoteGuard(restored.guard).highestView({ epoch, height: state.height }));
  state.changing = state.view > state.establishedView;
  for (const record of proposals) restoreProposal(state, record.bytes);
}

function restorePrepared(state: PbftState, height: number, bytes: Uint8Array): void {
  const prepared = decodePrepared(bytes);
  if (state.settings.rules.restoresCertificates) state.slot(height).prepared = prepared;
}

function restoreNewView(state: PbftState, bytes: Uint8Array): void {
  const message = decodePbftMessage(bytes);
  if (message.type !== "new-view") throw corrupt();
  if (message.view < state.establishedView) return;
  state.establishedView = message.view;
  state.sent.newView = message;
  const { height, view, viewChanges } = message;
  state.demand = { height, view, digests: state.settings.rules.demandedChain(viewChanges) };
}

function restoreProposal(state: PbftState, bytes: Uint8Array): void {
  const message = decodePbftMessage(bytes);
  const proposal = message.type === "propose" ? readProposal(state.settings.hasher, message) : undefined;
  if (message.type !== "propose" || proposal === undefined) throw corrupt();
  const slot = state.slot(proposal.header.height);
  slot.bodies.set(proposal.digest, proposal);
  if (message.view === state.view && !state.changing) slot.accepted = { proposal, view: message.view, signature: message.signature };
}

function corrupt(): QuorumgateError {
  return new QuorumgateError("STORAGE_CORRUPT", "a record of the consensus core is of the wrong kind");
}
