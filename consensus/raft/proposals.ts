import { type BlockHeader, encodeHeader, type Hash, headerDigest, LIMITS, merkleRoot, parseHeader, toHash } from "#base";
import type { Proposal, ProposalDraft } from "../block.ts";
import type { Body } from "../wire.ts";
import type { LogPoint } from "./log.ts";
import type { RaftState } from "./state.ts";

/** The block that this leader makes of a draft. */
export function proposalOf(state: RaftState, draft: Omit<ProposalDraft, "height" | "view">): Proposal {
  const { settings, term, epoch, log } = state;
  const { height, digest, timeUs } = log.last;
  const header: BlockHeader = {
    protocol: settings.protocol,
    cluster: settings.cluster,
    epoch,
    height: height + 1,
    originView: term,
    proposer: settings.self,
    timeUs: Math.max(draft.timeUs, timeUs + 1),
    parent: digest,
    commandsRoot: draft.commandsRoot,
    certified: draft.certified,
  };
  const headerBytes = encodeHeader(header);
  const { batch, certifiedProof } = draft;
  return { header, headerBytes, digest: headerDigest(settings.hasher, headerBytes), batch, certifiedProof };
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

/** Header and digest of a body; undefined when the header is not canonical. */
export function readProposal(state: RaftState, { headerBytes, certifiedProof, batch }: Body): Proposal | undefined {
  try {
    const header = parseHeader(headerBytes);
    return { header, headerBytes, certifiedProof, batch, digest: headerDigest(state.settings.hasher, headerBytes) };
  } catch {
    // Bytes that do not read are no entry.
    return undefined;
  }
}

/** Rule L1, as far as bytes tell: the entry belongs here and follows that point. */
export function follows(state: RaftState, { header }: Proposal, below: LogPoint): boolean {
  const { settings, epoch, voters } = state;
  const inPlace = header.cluster === settings.cluster && header.epoch === epoch && header.protocol === settings.protocol;
  const chained = header.height === below.height + 1 && header.parent === below.digest && header.timeUs > below.timeUs;
  return inPlace && chained && header.originView >= below.term && header.originView > 0 && voters.isMember(header.proposer);
}

/** True when a header names a certified height that is neither too old nor to come. */
export function namesCertified({ header }: Proposal): boolean {
  const ahead = header.height - header.certified.height;
  return ahead >= 1 && ahead <= LIMITS.uncertifiedHeightsMax;
}

/** What stands in a slot of the log, for the driver to know which offers it had. */
export function slotKey(slot: { readonly height: number; readonly term: number; readonly digest: Hash }): string {
  return `${slot.height}/${slot.term}/${slot.digest}`;
}
