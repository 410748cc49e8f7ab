import {
  encodeHeader,
  encodeVoteBody,
  fromHex,
  type Hash,
  type Hasher,
  headerDigest,
  type NodeId,
  parseHeader,
  signedBytes,
  toHash,
  VOTE_TYPE,
  type VoteType,
} from "#base";
import { type ConsensusMessage, decodeMessage, encodeMessage } from "#consensus";
import { decodeFrame, encodeFrame } from "#replica";
import type { KeyMill, SimulatedKey } from "../keys.ts";
import type { FrameFilter } from "../network.ts";

/** What an equivocator knows: its own key, and the cluster it is in. */
export interface EquivocatorOptions {
  readonly node: NodeId;
  readonly cluster: Hash;
  readonly hasher: Hasher;
  readonly keys: KeyMill;
  /** Peers that hear the other story. */
  readonly deceived: ReadonlySet<NodeId>;
}

/**
 * A node whose core is honest and whose mouth is not: some peers get another proposal than the rest, with another time and so another digest,
 * and votes for that other digest, all properly signed.
 */
export function equivocate(options: EquivocatorOptions): FrameFilter {
  const liar = new Liar(options);
  return (from, to, frame) => {
    if (from !== options.node || !options.deceived.has(to)) return [frame];
    const decoded = decodeFrame(frame);
    if (decoded.kind !== "consensus") return [frame];
    const lie = liar.lie(decodeMessage(decoded.message));
    return [lie === undefined ? frame : encodeFrame({ kind: "consensus", message: encodeMessage(lie) })];
  };
}

class Liar {
  readonly #options: EquivocatorOptions;
  readonly #key: SimulatedKey;
  /** The other story: which digest stands for which. */
  readonly #stories = new Map<Hash, Hash>();

  constructor(options: EquivocatorOptions) {
    this.#options = options;
    this.#key = options.keys.keyOf(`${options.node}/vote`);
  }

  lie(message: ConsensusMessage): ConsensusMessage | undefined {
    const { hasher } = this.#options;
    if (message.type === "propose") {
      const header = parseHeader(message.headerBytes);
      const headerBytes = encodeHeader({ ...header, timeUs: header.timeUs + 1 });
      const digest = headerDigest(hasher, headerBytes);
      this.#stories.set(headerDigest(hasher, message.headerBytes), digest);
      return { ...message, headerBytes, signature: this.#sign(message, digest, VOTE_TYPE.pbftPropose) };
    }
    if (message.type !== "prepare" && message.type !== "commit") return undefined;
    const digest = this.#stories.get(message.digest) ?? toHash(hasher.sha256(fromHex(message.digest)));
    const type = message.type === "prepare" ? VOTE_TYPE.pbftPrepare : VOTE_TYPE.pbftCommit;
    return { ...message, digest, signature: this.#sign(message, digest, type) };
  }

  #sign(slot: { readonly epoch: number; readonly height: number; readonly view: number }, digest: Hash, type: VoteType): Uint8Array {
    const { epoch, height, view } = slot;
    const body = encodeVoteBody({
      cluster: fromHex(this.#options.cluster),
      epoch,
      height,
      view,
      type,
      digest: fromHex(digest),
      validRound: -1,
    });
    return this.#key.sign(signedBytes(type === VOTE_TYPE.pbftPropose ? "proposal" : "vote", body));
  }
}
