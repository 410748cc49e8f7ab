import { type BlockHeader, encodeHeader, type Hash, type Hasher, headerDigest, type Membership, type NodeId, parseHeader } from "#base";
import type { Proposal, ProposalDraft, Tip } from "./block.ts";
import type { Body } from "./wire.ts";

/** Who proposes, and where. */
export interface ProposingSettings {
  readonly protocol: number;
  readonly cluster: Hash;
  readonly self: NodeId;
  readonly membership: Membership;
  readonly hasher: Hasher;
}

/** The block that a leader makes of a draft, on top of its parent. */
export function proposalFromDraft(
  settings: ProposingSettings,
  draft: Omit<ProposalDraft, "height" | "view">,
  place: { readonly height: number; readonly view: number; readonly parent: Pick<Tip, "digest" | "timeUs"> },
): Proposal {
  const { height, view, parent } = place;
  const { batch, certifiedProof, commandsRoot, certified } = draft;
  const header: BlockHeader = {
    protocol: settings.protocol,
    cluster: settings.cluster,
    epoch: settings.membership.epoch,
    height,
    originView: view,
    proposer: settings.self,
    timeUs: Math.max(draft.timeUs, parent.timeUs + 1),
    parent: parent.digest,
    commandsRoot,
    certified,
  };
  const headerBytes = encodeHeader(header);
  return { header, headerBytes, digest: headerDigest(settings.hasher, headerBytes), batch, certifiedProof };
}

/** Header and digest of a body that was received; undefined when the header is not canonical: hostile bytes are no proposal. */
export function readProposal(hasher: Hasher, { headerBytes, certifiedProof, batch }: Body): Proposal | undefined {
  try {
    return { header: parseHeader(headerBytes), headerBytes, certifiedProof, batch, digest: headerDigest(hasher, headerBytes) };
  } catch {
    return undefined;
  }
}
