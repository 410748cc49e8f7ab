import {
  ByteWriter,
  concatBytes,
  type EngineName,
  type Entropy,
  encodeUtf8,
  encodeVoteBody,
  equalBytes,
  faultModelOf,
  findMember,
  fromBase64Url,
  fromHex,
  type Hash,
  isQuorum,
  type Membership,
  type NodeId,
  type NodeSigner,
  type SignatureClaim,
  type SignatureVerifier,
  signedBytes,
  totalWeight,
  weightOf,
} from "#base";
import { checkCommitCertificate, commitCertificateClaims, decodeCommitCertificate, type SeenVote, votePurpose } from "#consensus";
import { type ProbeReplyFrame, probeReplyBody } from "../peers/frames.ts";

/** What the others' answers say about this node's memory. */
export type ProbeVerdict =
  /** The guard is current: the node stands where it stood. */
  | { readonly kind: "current" }
  /** It is not: the node takes part only above the floor, once the floor is certified. */
  | { readonly kind: "floor"; readonly floor: number };

/** What the probe stands on. */
export interface ProbeOptions {
  readonly cluster: Hash;
  readonly self: NodeId;
  readonly engine: EngineName;
  /** Members of the epoch that a height belongs to, as far as this node knows: its memory may end in an earlier epoch than the others stand in. */
  readonly membershipAt: (height: number) => Membership;
  /** Members of the epoch of the next height. */
  readonly membership: () => Membership;
  readonly window: number;
  /** Heights above the highest proved tip at which it takes part again (G4). */
  floorAbove(window: number): number;
  readonly entropy: Entropy;
  readonly verifier: SignatureVerifier;
  /** False when the folder counts fewer votes than the anchor: then only a floor can be the verdict. */
  readonly guardCurrent: boolean;
  /** True for a vote of this node that its guard knows of, or that lies below what the guard still keeps. */
  isRemembered(vote: SeenVote): boolean;
  onVerdict(verdict: ProbeVerdict): void;
}

/**
 * Asks the others, with a fresh nonce, what they know of this node's past (docs/protocols/pbft.md, rules G3 and G4).
 *
 * With a current guard it waits until the answers and itself are a quorum: with fewer nothing could be decided anyway. Without one it
 * waits for a quorum of others, and takes part only above F = c + 2W + 1, c being the highest height that a commit
 * certificate in the answers proves.
 */
export class Probe {
  readonly #options: ProbeOptions;
  readonly #nonce: Uint8Array;
  readonly #answered = new Map<NodeId, { readonly epoch: number; readonly height: number }>();
  #forgotten = false;
  #closed = false;

  constructor(options: ProbeOptions) {
    this.#options = options;
    this.#nonce = options.entropy.bytes(32);
  }

  get nonce(): Uint8Array {
    return this.#nonce;
  }

  /** Members whose answer is still awaited. */
  get waitingFor(): readonly NodeId[] {
    const { membership, self } = this.#options;
    return membership()
      .members.map((member) => member.id)
      .filter((id) => id !== self && !this.#hasAnswered(id));
  }

  /** Gives the verdict when nobody else is needed: a cluster of one. */
  begin(): void {
    this.#decide();
  }

  onReply(from: NodeId, reply: ProbeReplyFrame): void {
    // Who has gone on to a later epoch cannot be judged yet, and who stands in an earlier one knows nothing of this: both are asked again.
    const isOfEpoch = reply.epoch === this.#options.membership().epoch;
    if (this.#closed || !isOfEpoch || this.#hasAnswered(from) || !equalBytes(reply.nonce, this.#nonce)) return;
    const { engine, cluster, self, verifier } = this.#options;
    const member = findMember(this.#options.membership(), from);
    // A tip of an epoch that this node has not reached proves nothing yet: it catches up, asks again, and then it does.
    const membership = this.#options.membershipAt(reply.height);
    if (member === undefined) return;
    const publicKey = fromBase64Url(member.keys.vote);
    const message = probeReplyMessage({ cluster, responder: from, prober: self }, reply);
    const certificate = reply.height === 0 ? undefined : decodeOrNothing(reply.certificate);
    if (reply.height > 0) {
      if (certificate?.height !== reply.height || !checkCommitCertificate(certificate, { membership, engine })) return;
    }
    const certificateClaims = certificate === undefined ? [] : commitCertificateClaims(certificate, { cluster, membership, engine });
    verifier.verify([{ publicKey, message, signature: reply.signature }, ...certificateClaims], (verdicts) => {
      if (!verdicts.every(Boolean) || this.#closed) return;
      const { seen } = reply;
      const isForgotten = seen !== undefined && !this.#options.isRemembered(seen);
      // A vote of an epoch in which this node is not known to be a member cannot be judged yet: the answer does not count, and is asked for again.
      if (isForgotten && findMember(this.#options.membershipAt(seen.height), self) === undefined) return;
      if (isForgotten) this.#checkSeen(seen, () => this.#count(from, reply));
      else this.#count(from, reply);
    });
  }

  #count(from: NodeId, { epoch, height }: Pick<ProbeReplyFrame, "epoch" | "height">): void {
    this.#answered.set(from, { epoch, height });
    this.#decide();
  }

  /** Whether a member answered in the epoch in which this node stands now: an answer of an earlier one tells nothing of what was promised since. */
  #hasAnswered(id: NodeId): boolean {
    return this.#answered.get(id)?.epoch === this.#options.membership().epoch;
  }

  /** A vote that the guard does not remember counts only when this node's key did sign it. Until then the answer does not: others would complete the quorum without it. */
  #checkSeen(seen: SeenVote, done: () => void): void {
    const { cluster, self, membershipAt, verifier } = this.#options;
    const own = findMember(membershipAt(seen.height), self);
    if (own === undefined) return;
    const claim = seenVoteClaim({ cluster, publicKey: fromBase64Url(own.keys.vote) }, seen);
    verifier.verify([claim], ([genuine]) => {
      if (genuine === true) this.#forgotten = true;
      done();
    });
  }

  #decide(): void {
    if (this.#closed) return;
    const { engine, self, guardCurrent, window, floorAbove } = this.#options;
    const membership = this.#options.membership();
    const total = totalWeight(membership);
    const current = guardCurrent && !this.#forgotten;
    const answered = [...this.#answered].filter(([id]) => this.#hasAnswered(id));
    const others = answered.map(([id]) => id);
    const voters = current ? [self, ...others] : others;
    if (!isQuorum(weightOf(membership, voters), total, faultModelOf(engine))) return;
    this.#closed = true;
    const proved = Math.max(0, ...answered.map(([, { height }]) => height));
    this.#options.onVerdict(current ? { kind: "current" } : { kind: "floor", floor: proved + floorAbove(window) });
  }
}

/** Makes and signs the answer to a probe. */
export function answerProbe(
  parts: {
    readonly cluster: Hash;
    readonly self: NodeId;
    readonly prober: NodeId;
    readonly signer: NodeSigner;
    readonly reply: Omit<ProbeReplyFrame, "signature">;
  },
  done: (reply: ProbeReplyFrame) => void,
): void {
  const { cluster, self, prober, reply } = parts;
  const message = probeReplyMessage({ cluster, responder: self, prober }, reply);
  parts.signer.sign("vote", message, (signature) => done({ ...reply, signature }));
}

/** The signature check of a vote that a peer says it saw. */
function seenVoteClaim(own: { readonly cluster: Hash; readonly publicKey: Uint8Array }, seen: SeenVote): SignatureClaim {
  const { signature, digest, ...slot } = seen;
  const body = encodeVoteBody({ ...slot, cluster: fromHex(own.cluster), digest: fromHex(digest) });
  return { publicKey: own.publicKey, message: signedBytes(votePurpose(seen.type), body), signature };
}

/** The bytes that the answer to a probe signs: who answers, whom, and what, under a purpose of its own. */
export function probeReplyMessage(
  parties: { readonly cluster: Hash; readonly responder: NodeId; readonly prober: NodeId },
  reply: Omit<ProbeReplyFrame, "signature">,
): Uint8Array {
  const head = new ByteWriter().raw(fromHex(parties.cluster)).text(parties.responder).text(parties.prober).finish();
  return signedBytes("sync", concatBytes(encodeUtf8("probe\0"), head, probeReplyBody(reply)));
}

function decodeOrNothing(bytes: Uint8Array): ReturnType<typeof decodeCommitCertificate> | undefined {
  try {
    return decodeCommitCertificate(bytes);
  } catch {
    // A malformed certificate proves no height; the answer does not count.
    return undefined;
  }
}
