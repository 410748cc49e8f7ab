import {
  concatBytes,
  type FaultModel,
  findMember,
  fromBase64Url,
  type Hash,
  type Hasher,
  isQuorum,
  type Member,
  type Membership,
  memberKey,
  type NodeId,
  portableHasher,
  type SignatureClaim,
  totalWeight,
  u64be,
} from "#base";
import { checkpointText, cosignatureSeconds, type LogPoint, logSignatureMessage, witnessSignatureMessage } from "./checkpoint-text.ts";
import { formatNote, type NoteKey, type NoteSignature, noteKeyId, SIGNATURE_TYPE } from "./note.ts";

/** One node's two signatures on a point of the log. */
export interface Cosignature {
  readonly node: NodeId;
  readonly size: number;
  readonly root: Hash;
  /** 64 bytes by the L key over the checkpoint's text. */
  readonly logSignature: Uint8Array;
  /** The time that the W signature states. */
  readonly seconds: number;
  /** 64 bytes by the W key over the cosignature/v1 message. */
  readonly witnessSignature: Uint8Array;
}

/** The L key of a node as it signs one shard: its name is the shard's origin. */
export function logKeyOf(publicKey: string, origin: string): NoteKey {
  return { name: origin, type: SIGNATURE_TYPE.ed25519, publicKey: fromBase64Url(publicKey) };
}

/** The W key of a node, named `<trust domain>/replicas/<node id>`. */
export function witnessKeyOf(node: { readonly id: string; readonly witness: string }, trustDomain: string): NoteKey {
  return { name: witnessName(node.id, trustDomain), type: SIGNATURE_TYPE.cosignature, publicKey: fromBase64Url(node.witness) };
}

function witnessName(id: string, trustDomain: string): string {
  return `${trustDomain}/replicas/${id}`;
}

/**
 * What has to be verified before a cosignature counts: exactly two claims, the L signature and the W signature.
 *
 * Undefined when it is not a member's, not of this point, or states another time than the point's: such a cosignature counts nothing.
 */
export function cosignatureClaims(
  membership: Membership,
  point: LogPoint,
  cosignature: Cosignature,
): readonly [SignatureClaim, SignatureClaim] | undefined {
  const member = findMember(membership, cosignature.node);
  const matches = cosignature.size === point.size && cosignature.root === point.root && cosignature.seconds === cosignatureSeconds(point);
  if (member === undefined || !matches) return undefined;
  const { log, witness } = cosignatureMessages(point);
  return [
    { publicKey: memberKey(member, "log"), message: log, signature: cosignature.logSignature },
    { publicKey: memberKey(member, "witness"), message: witness, signature: cosignature.witnessSignature },
  ];
}

/** What the L and the W key of every cosigner sign of a point. */
export interface CosignatureMessages {
  readonly log: Uint8Array;
  readonly witness: Uint8Array;
}

/** All members sign the same bytes, and a node needs them for its own cosignature and for each that it checks. */
const MESSAGES = new WeakMap<LogPoint, CosignatureMessages>();

/** What a cosigner of the point signs, at the time that the point states. Shared: nobody may write into it. */
export function cosignatureMessages(point: LogPoint): CosignatureMessages {
  let messages = MESSAGES.get(point);
  if (messages === undefined) {
    const text = checkpointText(point);
    messages = { log: logSignatureMessage(text), witness: witnessSignatureMessage({ text, seconds: cosignatureSeconds(point) }) };
    MESSAGES.set(point, messages);
  }
  return messages;
}

/** What a note is assembled from. Every cosignature must have passed its claims: nothing is verified here. */
export interface CheckpointParts {
  readonly membership: Membership;
  readonly trustDomain: string;
  readonly point: LogPoint;
  readonly cosignatures: readonly Cosignature[];
  readonly faultModel: FaultModel;
  readonly hasher?: Hasher;
}

/** The note of a point with a minimal quorum's signatures; undefined while there is no quorum. */
export function assembleCheckpoint(parts: CheckpointParts): string | undefined {
  const signers = minimalQuorum(parts.membership, matchingCosignatures(parts), parts.faultModel);
  if (signers === undefined) return undefined;
  const { hasher = portableHasher, trustDomain, point } = parts;
  const lines: NoteSignature[] = [];
  for (const { member, cosignature } of signers) {
    const { name, keyId } = lineName(hasher, member, { role: "log", name: point.origin });
    lines.push({ name, keyId, signature: cosignature.logSignature });
  }
  for (const { member, cosignature } of signers) {
    const { name, keyId } = lineName(hasher, member, { role: "witness", name: witnessName(member.id, trustDomain) });
    lines.push({ name, keyId, signature: concatBytes(u64be(cosignature.seconds), cosignature.witnessSignature) });
  }
  return formatNote({ text: checkpointText(point), signatures: lines });
}

type LineName = Pick<NoteSignature, "name" | "keyId">;

/** The last name of a member's key and the id that follows from both; a shard's origin holds for a month. */
const LINE_NAMES = { log: new WeakMap<Member, LineName>(), witness: new WeakMap<Member, LineName>() };

function lineName(hasher: Hasher, member: Member, { role, name }: { readonly role: "log" | "witness"; readonly name: string }): LineName {
  const known = LINE_NAMES[role].get(member);
  if (known?.name === name) return known;
  const type = role === "log" ? SIGNATURE_TYPE.ed25519 : SIGNATURE_TYPE.cosignature;
  const made: LineName = { name, keyId: noteKeyId(hasher, { name, type, publicKey: memberKey(member, role) }) };
  LINE_NAMES[role].set(member, made);
  return made;
}

interface Signer {
  readonly member: Member;
  readonly cosignature: Cosignature;
}

function matchingCosignatures({ point, cosignatures }: CheckpointParts): ReadonlyMap<string, Cosignature> {
  const matching = cosignatures.filter(({ size, root }) => size === point.size && root === point.root);
  return new Map(matching.map((cosignature) => [cosignature.node, cosignature]));
}

/**
 * Heaviest first, ascending id among equals, until a quorum is reached. Every member taken weighs at least as much as the last one, so
 * without any one of them there is no quorum: no proper subset is one. In ascending id.
 */
function minimalQuorum(membership: Membership, available: ReadonlyMap<string, Cosignature>, model: FaultModel): Signer[] | undefined {
  const total = totalWeight(membership);
  const taken = new Map<string, Cosignature>();
  let weight = 0;
  for (const member of heaviestFirst(membership)) {
    const cosignature = available.get(member.id);
    if (cosignature === undefined) continue;
    taken.set(member.id, cosignature);
    weight += member.weight;
    if (isQuorum(weight, total, model)) return signersOf(membership, taken);
  }
  return undefined;
}

const HEAVIEST_FIRST = new WeakMap<Membership, readonly Member[]>();

function heaviestFirst(membership: Membership): readonly Member[] {
  let members = HEAVIEST_FIRST.get(membership);
  if (members === undefined) {
    members = [...membership.members].sort((left, right) => right.weight - left.weight || (left.id < right.id ? -1 : 1));
    HEAVIEST_FIRST.set(membership, members);
  }
  return members;
}

function signersOf(membership: Membership, taken: ReadonlyMap<string, Cosignature>): Signer[] {
  return membership.members.flatMap((member) => {
    const cosignature = taken.get(member.id);
    return cosignature === undefined ? [] : [{ member, cosignature }];
  });
}
