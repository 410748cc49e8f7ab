import { type Hash, LIMITS, merkleRoot, toHash } from "#base";
import type { Proposal, ProposalDraft } from "../block.ts";
import { proposalFromDraft } from "../proposing.ts";
import type { LogPoint } from "./log.ts";
import type { RaftState } from "./state.ts";

/** The block that this leader makes of a draft. */
export function proposalOf(state: RaftState, draft: Omit<ProposalDraft, "height" | "view">): Proposal {
  const { settings, term, log } = state;
  return proposalFromDraft(settings, draft, { height: log.last.height + 1, view: term, parent: log.last });
}

/** An entry above the epoch's last height: it is replicated like any other, and never decided (rule J3). */
export function closingEntry(state: RaftState): Proposal | undefined {
  const { log, settings } = state;
  const below = log.entries.at(-1);
  if (below === undefined) return undefined;
  const { certified, timeUs } = below.header;
  const commandsRoot = toHash(merkleRoot(settings.hasher, []));
  return proposalOf(state, { timeUs: timeUs + 1, commandsRoot, certified, certifiedProof: below.certifiedProof, batch: [] });
}

/** Rule L1, as far as bytes tell: the entry belongs here and follows that point. */
export function follows(state: RaftState, { header }: Proposal, below: LogPoint): boolean {
  const { settings, epoch, voters } = state;
  const inPlace = header.cluster === settings.cluster && header.epoch === epoch && header.protocol === settings.protocol;
  const chained = header.height === below.height + 1 && header.parent === below.digest && header.timeUs > below.timeUs;
  return inPlace && chained && header.originView >= below.term && header.originView > 0 && voters.isMember(header.proposer);
}

/**
 * True when a header names a certified height that is neither too old nor to come. The first entry of a term may name an older one if it is empty: it
 * is what decides the entries of older terms below it, however many those are, so no bound may stand against it (rule C4).
 */
export function namesCertified({ header, batch }: Proposal, below: LogPoint): boolean {
  const ahead = header.height - header.certified.height;
  const decidesOlder = batch.length === 0 && header.originView > below.term;
  return ahead >= 1 && (ahead <= LIMITS.uncertifiedHeightsMax || decidesOlder);
}

/** What stands in a slot of the log, for the driver to know which offers it had. */
export function slotKey(slot: { readonly height: number; readonly term: number; readonly digest: Hash }): string {
  return `${slot.height}/${slot.term}/${slot.digest}`;
}
