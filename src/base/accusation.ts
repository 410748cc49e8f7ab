import { fromBase64Url, fromHex } from "./bytes.ts";
import { verifyConsistency } from "./consistency.ts";
import { portableHasher } from "./hasher.ts";
import type { Hash, NodeId, PublicKey } from "./ids.ts";
import type { SignatureClaim } from "./signed-command.ts";
import { checkpointText, encodeVoteBody, logSignatureMessage, signedBytes, VOTE_TYPE, type VoteType } from "./signing.ts";
import {
  isSameNewView,
  isSameViewChange,
  type NewViewStatement,
  newViewMessage,
  type ViewChangeStatement,
  viewChangeMessage,
} from "./view-statements.ts";

/** Kinds of misbehaviour that signed bytes alone prove (docs/protocols/evidence.md, rule E1). */
export const ACCUSATION_KINDS = [
  "double-vote",
  "double-proposal",
  "amnesia",
  "conflicting-checkpoints",
  "false-endorsement",
  "hidden-certificate",
  "double-view-change",
  "double-new-view",
] as const;

/** See ACCUSATION_KINDS. */
export type AccusationKind = (typeof ACCUSATION_KINDS)[number];

/** Who is accused, and under which key of which epoch it signed. */
export interface Accused {
  readonly epoch: number;
  readonly node: NodeId;
  /** The vote key, or of checkpoints the L key. Whether it is the node's is decided at commit. */
  readonly key: PublicKey;
}

/** A vote or proposal as it was signed, without what both statements share. */
export interface VoteStatement {
  readonly type: VoteType;
  readonly height: number;
  readonly view: number;
  readonly digest: Hash;
  /** −1 where it has no meaning. */
  readonly validRound: number;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** Two votes or proposals of one node. */
export interface VoteAccusation extends Accused {
  readonly kind: "double-vote" | "double-proposal" | "amnesia";
  readonly first: VoteStatement;
  readonly second: VoteStatement;
}

/** A root of the log, as an L key signed it. */
export interface RootStatement {
  readonly size: number;
  readonly root: Hash;
  /** 64 bytes over the checkpoint's text. */
  readonly signature: Uint8Array;
}

/** Two roots of one log by one node. */
export interface CheckpointAccusation extends Accused {
  readonly kind: "conflicting-checkpoints";
  /** First line of the checkpoints: which log they are of. */
  readonly origin: string;
  readonly first: RootStatement;
  readonly second: RootStatement;
}

/** A member's signature under its L key. */
export interface Endorser {
  readonly node: NodeId;
  readonly key: PublicKey;
  readonly signature: Uint8Array;
}

/** A root by one node, and another by a quorum. */
export interface EndorsementAccusation extends Accused {
  readonly kind: "false-endorsement";
  readonly origin: string;
  readonly first: RootStatement;
  /** What a quorum signed: the same size, or a larger one with `prefix`. */
  readonly certified: { readonly size: number; readonly root: Hash; readonly endorsers: readonly Endorser[] };
  /** What the certified log has at the size of the first statement: its root, and the proof of consistency (RFC 9162, section 2.1.4). */
  readonly prefix?: Prefix;
}

/** The root of a shorter log, and the proof that a longer one extends it. */
export interface Prefix {
  readonly root: Hash;
  readonly path: readonly Uint8Array[];
}

/** A commit vote of pbft, and a view change that hides the prepared certificate which its sender had to hold. */
export interface HiddenCertificateAccusation extends Accused {
  readonly kind: "hidden-certificate";
  readonly first: VoteStatement;
  readonly second: ViewChangeStatement;
}

/** Two view changes of one node for one height and view. */
export interface ViewChangeAccusation extends Accused {
  readonly kind: "double-view-change";
  readonly first: ViewChangeStatement;
  readonly second: ViewChangeStatement;
}

/** Two new-views of one leader for one height and view. */
export interface NewViewAccusation extends Accused {
  readonly kind: "double-new-view";
  readonly first: NewViewStatement;
  readonly second: NewViewStatement;
}

/** Evidence of a view change of pbft. */
export type ViewAccusation = HiddenCertificateAccusation | ViewChangeAccusation | NewViewAccusation;

/** Self-contained evidence against one node, as the ledger records it. */
export type Accusation = VoteAccusation | CheckpointAccusation | EndorsementAccusation | ViewAccusation;

/** The slot of a vote type: a vote and its nil form stand in one. */
export function phaseOf(type: VoteType): number {
  if (type === VOTE_TYPE.tendermintPrevoteNil) return VOTE_TYPE.tendermintPrevote;
  return type === VOTE_TYPE.tendermintPrecommitNil ? VOTE_TYPE.tendermintPrecommit : type;
}

/** The purpose under which a vote of the type is signed. */
export function votePurpose(type: VoteType): "proposal" | "vote" {
  return type === VOTE_TYPE.pbftPropose || type === VOTE_TYPE.tendermintPropose ? "proposal" : "vote";
}

/**
 * True when no honest node makes both statements (rule E1). Signatures, keys and a quorum's weight are checked apart.
 * @param window heights in flight, by genesis; without it a view change answers for its own height only, which convicts of less
 */
export function contradicts(accusation: Accusation, window = 1): boolean {
  switch (accusation.kind) {
    case "double-vote":
      return isDouble(accusation) && votePurpose(accusation.first.type) === "vote";
    case "double-proposal":
      return isDouble(accusation) && votePurpose(accusation.first.type) === "proposal";
    case "amnesia":
      return isAmnesia(accusation);
    case "conflicting-checkpoints":
      return isOtherRoot(accusation.first, accusation.second);
    case "false-endorsement":
      return accusation.prefix === undefined
        ? isOtherRoot(accusation.first, accusation.certified)
        : isOtherPrefix(accusation, accusation.prefix);
    case "hidden-certificate":
      return isHidden(accusation, window);
    case "double-view-change":
      return isSamePlace(accusation) && !isSameViewChange(accusation.first, accusation.second);
    case "double-new-view":
      return isSamePlace(accusation) && !isSameNewView(accusation.first, accusation.second);
  }
}

/** What evidence is known by: a second piece with the same name adds nothing (rule E6). ASCII. */
export function accusationName(accusation: Accusation): string {
  const series = accusationSeries(accusation);
  if ("origin" in accusation) {
    const shard = accusation.origin.slice(accusation.origin.lastIndexOf("/") + 1);
    return `${series}/${shard}/${accusation.first.size}`;
  }
  const { height, view } = accusation.first;
  return `${series}/${height}/${view}`;
}

/** Epoch, node and kind: of each so many pieces are recorded and no more. */
export function accusationSeries({ epoch, node, kind }: Pick<Accusation, "epoch" | "node" | "kind">): string {
  return `${epoch}/${node}/${kind}`;
}

/**
 * Every signature that the evidence stands on, under the keys that it names itself: a function of its bytes, so that every replica verifies the same
 * before it votes.
 */
export function accusationClaims(cluster: Hash, accusation: Accusation): readonly SignatureClaim[] {
  const publicKey = fromBase64Url(accusation.key);
  switch (accusation.kind) {
    case "double-vote":
    case "double-proposal":
    case "amnesia":
      return [accusation.first, accusation.second].map((vote) => voteClaim(cluster, accusation, vote));
    case "conflicting-checkpoints":
      return [accusation.first, accusation.second].map((said) => rootClaim(accusation.origin, said, { publicKey, ...said }));
    case "false-endorsement": {
      const { origin, first, certified } = accusation;
      const endorsed = certified.endorsers.map(({ key, signature }) =>
        rootClaim(origin, certified, { publicKey: fromBase64Url(key), signature }),
      );
      return [rootClaim(origin, first, { publicKey, ...first }), ...endorsed];
    }
    case "hidden-certificate":
      return [voteClaim(cluster, accusation, accusation.first), viewChangeClaim(cluster, accusation, accusation.second)];
    case "double-view-change":
      return [accusation.first, accusation.second].map((said) => viewChangeClaim(cluster, accusation, said));
    case "double-new-view":
      return [accusation.first, accusation.second].map((said) => {
        const message = newViewMessage({ cluster, epoch: accusation.epoch }, said);
        return { publicKey, message, signature: said.signature };
      });
  }
}

function isDouble({ first, second }: VoteAccusation): boolean {
  const sameSlot = first.height === second.height && first.view === second.view && phaseOf(first.type) === phaseOf(second.type);
  return sameSlot && (first.type !== second.type || first.digest !== second.digest || first.validRound !== second.validRound);
}

/** A precommit of a value, and in a later round a prevote for another one whose proof is older than the precommit. */
function isAmnesia({ first, second }: VoteAccusation): boolean {
  const areVotes = first.type === VOTE_TYPE.tendermintPrecommit && second.type === VOTE_TYPE.tendermintPrevote;
  const isLater = first.height === second.height && second.view > first.view;
  return areVotes && isLater && second.validRound < first.view && first.digest !== second.digest;
}

/**
 * A commit vote, and a view change for a higher view at a height at which the voter's certificate was still in flight, that names none of the vote's
 * view or a higher one. Beyond the window nothing follows: a node that lost its memory may vote there in a view below one that it asked for before.
 */
function isHidden({ first, second }: HiddenCertificateAccusation, window: number): boolean {
  const isInFlight = second.height <= first.height && first.height < second.height + window;
  if (first.type !== VOTE_TYPE.pbftCommit || first.view >= second.view || !isInFlight) return false;
  return !second.prepared.some(({ height, view }) => height === first.height && view >= first.view);
}

/** View changes for one view at two heights are honest: whoever decides while it waits for a view asks again. */
function isSamePlace({ first, second }: ViewChangeAccusation | NewViewAccusation): boolean {
  return first.height === second.height && first.view === second.view;
}

function isOtherRoot(left: { readonly size: number; readonly root: Hash }, right: { readonly size: number; readonly root: Hash }): boolean {
  return left.size === right.size && left.root !== right.root;
}

/** The certified log is longer, and where it had the first statement's size it had another root. */
function isOtherPrefix({ first, certified }: EndorsementAccusation, { root, path }: Prefix): boolean {
  if (first.size >= certified.size || first.root === root) return false;
  const from = { size: first.size, root: fromHex(root) };
  return verifyConsistency(portableHasher, { from, to: { size: certified.size, root: fromHex(certified.root) }, path });
}

function voteClaim(cluster: Hash, { key, epoch }: Accused, vote: VoteStatement): SignatureClaim {
  const { type, height, view, validRound, signature } = vote;
  const body = { cluster: fromHex(cluster), epoch, height, view, type, digest: fromHex(vote.digest), validRound };
  return { publicKey: fromBase64Url(key), message: signedBytes(votePurpose(type), encodeVoteBody(body)), signature };
}

function viewChangeClaim(cluster: Hash, { key, epoch, node }: Accused, said: ViewChangeStatement): SignatureClaim {
  const message = viewChangeMessage({ cluster, epoch, node }, said);
  return { publicKey: fromBase64Url(key), message, signature: said.signature };
}

function rootClaim(
  origin: string,
  { size, root }: { readonly size: number; readonly root: Hash },
  { publicKey, signature }: { readonly publicKey: Uint8Array; readonly signature: Uint8Array },
): SignatureClaim {
  return { publicKey, message: logSignatureMessage(checkpointText({ origin, size, root })), signature };
}
