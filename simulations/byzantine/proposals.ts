import {
  type BlockHeader,
  decodeSignedCommand,
  encodeCommand,
  encodeHeader,
  encodeSignedCommand,
  fromHex,
  type Hash,
  hashLeaf,
  headerDigest,
  merkleRoot,
  parseHeader,
  type SignedCommand,
  signedCommandOf,
  toBase64Url,
  toHash,
} from "#base";
import { type ConsensusMessage, seenVoteOf } from "#consensus";
import { type Actor, type ActorPorts, frameOf } from "./actor.ts";
import { resign, signVote } from "./votes.ts";

/** What a lying leader makes of a proposal. */
interface Rewritten {
  readonly header: BlockHeader;
  readonly batch: readonly Uint8Array[];
}

/** Tells another story than its core: proposals rewritten and signed anew, and votes that go with them. */
class Storyteller {
  readonly #ports: ActorPorts;
  readonly #rewrite: (proposal: Rewritten) => Rewritten | undefined;
  /** Which digest stands for which. */
  readonly #stories = new Map<Hash, Hash>();

  constructor(ports: ActorPorts, rewrite: (proposal: Rewritten) => Rewritten | undefined) {
    this.#ports = ports;
    this.#rewrite = rewrite;
  }

  /** The message as the story has it; undefined where the story is the truth. */
  tell(message: ConsensusMessage): ConsensusMessage | undefined {
    const { hasher } = this.#ports;
    const vote = seenVoteOf(message, hasher);
    if (vote === undefined) return undefined;
    if (!("headerBytes" in message)) {
      const digest = this.#stories.get(vote.digest);
      return digest === undefined ? undefined : resign(this.#ports, message, { digest });
    }
    const header = parseHeader(message.headerBytes);
    // A value of an earlier leader is demanded with its bytes unchanged: there is no story to tell about it.
    if (header.proposer !== this.#ports.node || !("batch" in message)) return undefined;
    const rewritten = this.#rewrite({ header, batch: message.batch });
    if (rewritten === undefined) return undefined;
    const headerBytes = encodeHeader(rewritten.header);
    const digest = headerDigest(hasher, headerBytes);
    this.#stories.set(vote.digest, digest);
    return { ...message, headerBytes, batch: rewritten.batch, signature: signVote(this.#ports, { ...vote, digest }) } as ConsensusMessage;
  }

  /** Lies about a vote for which there is no story yet, so that two peers never hear the same. */
  invent(message: ConsensusMessage): ConsensusMessage | undefined {
    const { hasher } = this.#ports;
    const vote = seenVoteOf(message, hasher);
    if (vote === undefined || "headerBytes" in message) return undefined;
    return resign(this.#ports, message, { digest: toHash(hasher.sha256(fromHex(vote.digest))) });
  }
}

/** Some peers get another proposal than the rest, with another time and so another digest, and votes for that other digest. */
export const equivocating: Actor = (ports) => {
  const storyteller = new Storyteller(ports, ({ header, batch }) => ({ header: { ...header, timeUs: header.timeUs + 1 }, batch }));
  const deceived = new Set(ports.membership.members.map(({ id }) => id).filter((id, index) => id !== ports.node && index % 2 === 0));
  return {
    outgoing: (to, frame) => {
      const message = deceived.has(to) ? ports.frames.messageOf(frame) : undefined;
      const lie = message === undefined ? undefined : (storyteller.tell(message) ?? storyteller.invent(message));
      if (lie === undefined) return [frame];
      ports.deviates();
      return [frameOf(lie)];
    },
  };
};

const KEPT_COMMANDS = 8;

/** As a leader it orders commands again that were decided before, and the same one twice in a block. */
export const stuffing: Actor = (ports) => {
  const kept: Uint8Array[] = [];
  return consistent(ports, ({ header, batch }) => {
    const old = kept.length === 0 ? [] : [ports.random.pick(kept)];
    kept.push(...batch.slice(0, 1));
    kept.splice(0, Math.max(0, kept.length - KEPT_COMMANDS));
    const stuffed = [...batch, ...old, ...batch.slice(0, 1)];
    if (stuffed.length === batch.length) return undefined;
    return withBatch(ports, header, stuffed);
  });
};

/** As a leader it orders what nobody signed: a command of before under another id, with the signature that the first one had. */
export const smuggling: Actor = (ports) => {
  let template: SignedCommand | undefined;
  return consistent(ports, ({ header, batch }) => {
    const [first] = batch;
    if (first !== undefined) template = decodeSignedCommand(ports.hasher, first);
    if (template === undefined) return undefined;
    const bytes = encodeCommand({ ...template.command, id: toBase64Url(ports.random.bytes(16)) });
    const forged = encodeSignedCommand(signedCommandOf(ports.hasher, { bytes, signature: template.signature }));
    return withBatch(ports, header, [...batch, forged]);
  });
};

/** As a leader it names a time at the edge of what is allowed, or beyond. */
export const mistiming: Actor = (ports) =>
  consistent(ports, ({ header, batch }) => {
    const stepMs = ports.random.pick([-30_000, -4_900, -200, 4_000, 4_990, 30_000]);
    const timeUs = header.timeUs + stepMs * 1_000;
    return { header: { ...header, timeUs }, batch };
  });

/** The block of other commands. */
function withBatch({ hasher }: ActorPorts, header: BlockHeader, batch: readonly Uint8Array[]): Rewritten {
  const leaves = batch.map((command) => hashLeaf(hasher, command));
  return { header: { ...header, commandsRoot: toHash(merkleRoot(hasher, leaves)) }, batch };
}

/** The same lie to everybody, decided once for each proposal. */
function consistent(ports: ActorPorts, rewrite: (proposal: Rewritten) => Rewritten | undefined): ReturnType<Actor> {
  const storyteller = new Storyteller(ports, rewrite);
  const told = new WeakMap<Uint8Array, Uint8Array>();
  return {
    outgoing: (_to, frame) => {
      const message = ports.frames.messageOf(frame);
      if (message === undefined) return [frame];
      const known = told.get(frame);
      if (known !== undefined) return [known];
      const lie = storyteller.tell(message);
      const frameTold = lie === undefined ? frame : frameOf(lie);
      if (lie !== undefined) ports.deviates();
      told.set(frame, frameTold);
      return [frameTold];
    },
  };
}
