import {
  type AuditEntry,
  type Checkpoint,
  cosignatureClaims,
  handoverClaims,
  type LogPoint,
  parseCheckpointText,
  parseEntry,
  parseHandover,
  policyOf,
  shardOfOrigin,
  shardOrigin,
} from "#audit";
import {
  checkpointIntervalOf,
  faultModelOf,
  fromHex,
  type Genesis,
  type Hash,
  type Hasher,
  hashLeaf,
  isQuorum,
  type Membership,
  merkleRoot,
  parseHash,
  QuorumgateError,
  type SignatureClaim,
  toHash,
  totalWeight,
  verifyInclusion,
  weightOf,
} from "#base";
import { checkCommitCertificate, commitCertificateClaims, decodeMessage, readProposal, type Tip } from "#consensus";
import { decodeCosignatures } from "../ledger/cosignatures.ts";
import type { Offer, ShardStart } from "./offer.ts";

/** What an offer is judged by: what this node knows. */
export interface OfferContext {
  readonly genesis: Genesis;
  readonly cluster: Hash;
  readonly hasher: Hasher;
  /** Members of the epoch of the height after this node's tip. */
  readonly membership: Membership;
  readonly tipHeight: number;
  /** The shard in which this node's log ends; empty for an empty log. */
  readonly shard: string;
}

/** What follows from an offer once its signatures are verified. */
export interface CheckedOffer {
  readonly tip: Tip;
  /** The encoded block of the height. */
  readonly block: Uint8Array;
  readonly seal: { readonly entry: Uint8Array; readonly seq: number };
  readonly stateHash: Hash;
  readonly stateRoot: Hash;
  /** The last tree, or for the newest shard the certified one, of each shard from this node's on. */
  readonly trees: ReadonlyMap<string, { readonly size: number; readonly root: Hash }>;
  readonly handovers: readonly { readonly epoch: number; readonly file: Uint8Array }[];
  /** The signatures that all of it stands on, each group on the ones before: every one has to be good. */
  readonly claims: readonly (readonly SignatureClaim[])[];
}

/**
 * Checks everything of an offer but its signatures (docs/protocols/state-transfer.md, O2).
 * @throws {QuorumgateError} SYNC_OFFER_INVALID
 */
export function checkOffer(offer: Offer, context: OfferContext): CheckedOffer {
  try {
    return check(offer, context);
  } catch (cause) {
    if (cause instanceof QuorumgateError && cause.code === "SYNC_OFFER_INVALID") throw cause;
    throw new QuorumgateError("SYNC_OFFER_INVALID", "an offer's parts do not read", { cause });
  }
}

function check(offer: Offer, context: OfferContext): CheckedOffer {
  const { height } = offer;
  const interval = checkpointIntervalOf(context.genesis);
  if (height <= context.tipHeight || height % interval !== 0) throw invalid("its height is of no use");
  const succession = followHandovers(offer.handovers, context);
  const certified = checkCertified(offer, succession.memberships, context);
  const trees = treesOf(offer.starts, certified.point, context);
  const seal = checkSeal(offer, certified.point, context);
  const block = checkBlock(offer, seal, { ...context, memberships: succession.memberships });
  return {
    tip: block.tip,
    block: offer.block,
    seal: { entry: offer.seal.entry, seq: seal.seq },
    stateHash: hashIn(seal, "stateHash"),
    stateRoot: hashIn(seal, "stateRoot"),
    trees,
    handovers: succession.handovers,
    claims: [...succession.claims, certified.claims, block.claims],
  };
}

/** The members of each epoch from this node's to that of the certified point, and the files that lead there. */
function followHandovers(
  files: readonly Uint8Array[],
  { genesis, cluster, hasher, membership }: OfferContext,
): {
  readonly memberships: readonly Membership[];
  readonly handovers: CheckedOffer["handovers"];
  readonly claims: CheckedOffer["claims"];
} {
  const memberships = [membership];
  const handovers: { epoch: number; file: Uint8Array }[] = [];
  const claims: (readonly SignatureClaim[])[] = [];
  let current = membership;
  for (const file of files) {
    const from = policyOf({ genesis, cluster, membership: current });
    const { next } = parseHandover(file, from);
    const signatures = handoverClaims(file, { from, next }, hasher);
    if (signatures === undefined || next.epoch !== current.epoch + 1) throw invalid("a handover does not follow the one before");
    claims.push(signatures);
    handovers.push({ epoch: next.epoch, file });
    memberships.push(next);
    current = next;
  }
  return { memberships, handovers, claims };
}

function checkCertified(
  { certified }: Offer,
  memberships: readonly Membership[],
  { genesis, cluster }: OfferContext,
): { readonly point: LogPoint; readonly claims: readonly SignatureClaim[] } {
  const membership = memberships.at(-1);
  const point: LogPoint = { ...certified.point, origin: shardOrigin({ trustDomain: genesis.trustDomain, cluster }, certified.point.shard) };
  const cosignatures = decodeCosignatures(certified.cosignatures, point);
  if (membership === undefined || cosignatures === undefined) throw invalid("its cosignatures do not read");
  const nodes = cosignatures.map(({ node }) => node);
  if (!isQuorum(weightOf(membership, nodes), totalWeight(membership), faultModelOf(genesis.engine))) throw invalid("it has no quorum");
  const claims = cosignatures.map((cosignature) => cosignatureClaims(membership, point, cosignature));
  if (claims.includes(undefined)) throw invalid("it is cosigned by a stranger");
  return { point, claims: claims.flatMap((pair) => pair ?? []) };
}

/** Size and root of each shard, from the newest back: the first entry of a shard commits to the last checkpoint of the one before. */
function treesOf(starts: readonly ShardStart[], newest: LogPoint, context: OfferContext): CheckedOffer["trees"] {
  const { genesis, cluster, hasher } = context;
  const trees = new Map<string, { readonly size: number; readonly root: Hash }>();
  let tree: Checkpoint = newest;
  let shard = newest.shard;
  trees.set(shard, tree);
  for (const { entry, proof } of [...starts].reverse()) {
    if (shard === context.shard) break;
    const claim = { index: 0, size: tree.size, leaf: hashLeaf(hasher, entry), path: proof, root: fromHex(tree.root) };
    if (!verifyInclusion(hasher, claim)) throw invalid("a shard's first entry does not lead to its root");
    const { kind, content } = parseEntry(entry);
    if (kind !== "log.start") throw invalid("a shard begins with another entry");
    const previous = content["previousCheckpoint"];
    if (typeof previous !== "string") throw invalid("nothing is before the first shard");
    tree = parseCheckpointText(previous);
    shard = shardOfOrigin(tree.origin, { ...genesis, cluster });
    trees.set(shard, tree);
  }
  if (context.shard !== "" && shard !== context.shard) throw invalid("it does not lead back to this node's shard");
  return trees;
}

function checkSeal({ height, seal }: Offer, point: LogPoint, { hasher }: OfferContext): AuditEntry {
  const claim = { index: seal.index, size: point.size, leaf: hashLeaf(hasher, seal.entry), path: seal.proof, root: fromHex(point.root) };
  if (!verifyInclusion(hasher, claim)) throw invalid("its seal is not in the certified log");
  const entry = parseEntry(seal.entry);
  if (entry.kind !== "block.sealed" || entry.block.height !== height) throw invalid("its seal is another entry");
  return entry;
}

function checkBlock(
  offer: Offer,
  seal: AuditEntry,
  { genesis, cluster, hasher, memberships }: OfferContext & { readonly memberships: readonly Membership[] },
): { readonly tip: Tip; readonly claims: readonly SignatureClaim[] } {
  const message = decodeMessage(offer.block);
  if (message.type !== "block") throw invalid("its block is another message");
  const { certificate, headerBytes, batch } = message;
  const proposal = readProposal(hasher, { headerBytes, batch, certifiedProof: new Uint8Array(0) });
  const leaves = batch.map((command) => hashLeaf(hasher, command));
  const { digest } = seal.block;
  const { height } = offer;
  if (proposal?.digest !== digest || certificate.digest !== digest || certificate.height !== height)
    throw invalid("its block is not the sealed one");
  if (toHash(merkleRoot(hasher, leaves)) !== proposal.header.commandsRoot) throw invalid("its block has other commands");
  const membership = memberships.find(({ epoch }) => epoch === proposal.header.epoch);
  const { engine } = genesis;
  if (membership === undefined || !checkCommitCertificate(certificate, { membership, engine }))
    throw invalid("its certificate has no quorum");
  const claims = commitCertificateClaims(certificate, { cluster, membership, engine });
  return { tip: { height, digest, timeUs: proposal.header.timeUs, view: certificate.view, certificate }, claims };
}

function hashIn({ content }: AuditEntry, name: string): Hash {
  const value = content[name];
  if (typeof value !== "string") throw invalid(`its seal has no ${name}`);
  return parseHash(value);
}

function invalid(reason: string): QuorumgateError {
  return new QuorumgateError("SYNC_OFFER_INVALID", `an offer: ${reason}`);
}
