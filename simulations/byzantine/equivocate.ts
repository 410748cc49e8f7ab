import { encodeHeader, fromHex, type Hash, headerDigest, parseHeader, toHash } from "#base";
import { type ConsensusMessage, seenVoteOf } from "#consensus";
import { type Actor, type ActorPorts, frameOf } from "./actor.ts";
import { resign, signVote } from "./votes.ts";

/**
 * Some peers get another proposal than the rest, with another time and so another digest, and votes for that other digest, all properly
 * signed.
 */
export const equivocating: Actor = (ports) => {
  const liar = new Liar(ports);
  const deceived = new Set(ports.membership.members.map(({ id }) => id).filter((id, index) => id !== ports.node && index % 2 === 0));
  return {
    outgoing: (to, frame) => {
      const message = deceived.has(to) ? ports.frames.messageOf(frame) : undefined;
      const lie = message === undefined ? undefined : liar.lie(message);
      if (lie === undefined) return [frame];
      ports.deviates();
      return [frameOf(lie)];
    },
  };
};

class Liar {
  readonly #ports: ActorPorts;
  /** The other story: which digest stands for which. */
  readonly #stories = new Map<Hash, Hash>();

  constructor(ports: ActorPorts) {
    this.#ports = ports;
  }

  lie(message: ConsensusMessage): ConsensusMessage | undefined {
    const { hasher } = this.#ports;
    const vote = seenVoteOf(message, hasher);
    if (vote === undefined) return undefined;
    if (!("headerBytes" in message)) {
      const digest = this.#stories.get(vote.digest) ?? toHash(hasher.sha256(fromHex(vote.digest)));
      return resign(this.#ports, message, { digest });
    }
    const header = parseHeader(message.headerBytes);
    const headerBytes = encodeHeader({ ...header, timeUs: header.timeUs + 1 });
    const digest = headerDigest(hasher, headerBytes);
    this.#stories.set(vote.digest, digest);
    return { ...message, headerBytes, signature: signVote(this.#ports, { ...vote, digest }) } as ConsensusMessage;
  }
}
