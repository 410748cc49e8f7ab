import {
  encodeNewViewBody,
  encodeViewChangeBody,
  findMember,
  type Hash,
  type Hasher,
  headerDigest,
  isByzantineQuorum,
  leaderOf,
  type Membership,
  type NewViewStatement,
  parseHeader,
  type SignatureClaim,
  signedBytes,
  toHash,
  totalWeight,
  type ViewChangeStatement,
  VOTE_TYPE,
  weightOf,
} from "#base";
import { isAscending, type VoteContext, voteClaim, voteKey } from "../certificates.ts";
import { encodePrepared } from "./codec.ts";
import type { NewView, PreparedCertificate, ViewChange } from "./messages.ts";

/** The shape of a prepared certificate: the leader of its view and prepares of others, together a minimal quorum. */
export function checkPreparedCertificate(certificate: PreparedCertificate, membership: Membership): boolean {
  const leader = leaderOf(membership, certificate.view);
  if (certificate.epoch !== membership.epoch || !isAscending(certificate.votes)) return false;
  if (certificate.votes.some(({ node }) => node === leader || findMember(membership, node) === undefined)) return false;
  const nodes = certificate.votes.map(({ node }) => node);
  return isByzantineQuorum(weightOf(membership, [leader, ...nodes]), totalWeight(membership));
}

/** The signatures that a prepared certificate stands on. Check its shape first. */
export function preparedCertificateClaims(certificate: PreparedCertificate, context: VoteContext): SignatureClaim[] {
  const leader = leaderOf(context.membership, certificate.view);
  const proposal = { node: leader, slot: certificate, type: VOTE_TYPE.pbftPropose, signature: certificate.proposalSignature };
  const prepares = certificate.votes.map(({ node, signature }) => ({ node, slot: certificate, type: VOTE_TYPE.pbftPrepare, signature }));
  return [proposal, ...prepares].flatMap((vote) => voteClaim(context, vote) ?? []);
}

/** A view change as it was signed: what it proves, by the hashes of its certificates. */
export function viewChangeStatement(
  hasher: Hasher,
  message: Omit<ViewChange, "signature" | "tip">,
): Omit<ViewChangeStatement, "signature"> {
  const { height, view, parent } = message;
  const prepared = message.prepared.map((certificate) => ({
    height: certificate.height,
    view: certificate.view,
    digest: certificate.digest,
    certificate: toHash(hasher.sha256(encodePrepared(certificate))),
  }));
  return { height, view, parent, prepared };
}

/** A new-view as it was signed: the view changes that it stands on, by their signatures. */
export function newViewStatement(message: Omit<NewView, "signature" | "type">): Omit<NewViewStatement, "signature"> {
  const { height, view } = message;
  return { height, view, viewChanges: message.viewChanges.map(({ sender, signature }) => ({ node: sender, signature })) };
}

/** The bytes that a view change signs, without the purpose. */
export function viewChangeSignedBody(context: SignedContext, message: Omit<ViewChange, "signature" | "tip">): Uint8Array {
  const { epoch, sender: node } = message;
  return encodeViewChangeBody({ cluster: context.cluster, epoch, node }, viewChangeStatement(context.hasher, message));
}

/** The bytes that a new-view signs, without the purpose. */
export function newViewSignedBody(cluster: Hash, message: Omit<NewView, "signature" | "type">): Uint8Array {
  return encodeNewViewBody({ cluster, epoch: message.epoch }, newViewStatement(message));
}

/** What a view change is signed for, and how to hash. */
export interface SignedContext {
  readonly cluster: Hash;
  readonly hasher: Hasher;
}

/** What view changes and new-views are checked with. */
export interface ViewContext extends VoteContext {
  readonly hasher: Hasher;
  /** Heights in flight. */
  readonly window: number;
}

/** Every signature of a view change, or undefined when its shape is wrong: rule V5. */
export function viewChangeClaims(message: ViewChange, context: ViewContext): SignatureClaim[] | undefined {
  const publicKey = voteKey(context.membership, message.sender);
  const { prepared } = message;
  if (publicKey === undefined || message.epoch !== context.membership.epoch) return undefined;
  let below = message.height - 1;
  for (const certificate of prepared) {
    const fits = certificate.height > below && certificate.height < message.height + context.window && certificate.view < message.view;
    if (!fits || !checkPreparedCertificate(certificate, context.membership) || !isOfItsHeader(certificate, context.hasher))
      return undefined;
    below = certificate.height;
  }
  const body = viewChangeSignedBody(context, message);
  const own = { publicKey, message: signedBytes("view-change", body), signature: message.signature };
  return [own, ...prepared.flatMap((certificate) => preparedCertificateClaims(certificate, context))];
}

/** Every signature of a new-view and of its view changes, or undefined when its shape is wrong: rule V5. */
export function newViewClaims(message: NewView, context: ViewContext): SignatureClaim[] | undefined {
  const { membership, cluster } = context;
  const leader = leaderOf(membership, message.view);
  const publicKey = voteKey(membership, leader);
  const senders = message.viewChanges.map((viewChange) => viewChange.sender);
  // A quorum names it, so it is what was decided, also to a reader who does not know.
  const parent = message.viewChanges[0]?.parent;
  if (publicKey === undefined || message.epoch !== membership.epoch || new Set(senders).size !== senders.length) return undefined;
  if (!senders.includes(leader) || !isByzantineQuorum(weightOf(membership, senders), totalWeight(membership))) return undefined;
  const claims = [{ publicKey, message: signedBytes("new-view", newViewSignedBody(cluster, message)), signature: message.signature }];
  for (const viewChange of message.viewChanges) {
    const isAlike = viewChange.height === message.height && viewChange.view === message.view && viewChange.parent === parent;
    if (!isAlike) return undefined;
    const own = viewChangeClaims(viewChange, context);
    if (own === undefined) return undefined;
    claims.push(...own);
  }
  return claims;
}

/** The header is the one that the digest is of, and of the certificate's height. */
function isOfItsHeader({ headerBytes, digest, height }: PreparedCertificate, hasher: Hasher): boolean {
  if (headerDigest(hasher, headerBytes) !== digest) return false;
  try {
    return parseHeader(headerBytes).height === height;
  } catch {
    // A header that does not read has no place in a chain.
    return false;
  }
}
