import { type BlockHeader, encodeHeader, type Hash, headerDigest, parseHeader } from "#base";
import { type ConsensusMessage, proposerOf, seenVoteOf } from "#consensus";
import { type Actor, type ActorPorts, frameOf } from "./actor.ts";
import { resign, signVote } from "./votes.ts";

/** What becomes of a proposal: another header, and the round that is claimed to prove it. */
interface Retold {
  readonly header: BlockHeader;
  readonly validRound: number;
}

/** Proposals under another header, and the votes that go with them; everybody hears the same. */
function retelling(ports: ActorPorts, retell: (message: ConsensusMessage, header: BlockHeader) => Retold | undefined): ReturnType<Actor> {
  const stories = new Map<Hash, { readonly digest: Hash; readonly validRound: number }>();
  const told = new WeakMap<Uint8Array, Uint8Array>();
  const lieOf = (message: ConsensusMessage): ConsensusMessage | undefined => {
    const vote = seenVoteOf(message, ports.hasher);
    if (vote === undefined) return undefined;
    if (!("headerBytes" in message)) {
      const story = stories.get(vote.digest);
      if (story === undefined) return undefined;
      // A prevote that names another round than the proposal counts with nobody's.
      return resign(ports, message, message.type === "prevote" ? story : { digest: story.digest });
    }
    const retold = retell(message, parseHeader(message.headerBytes));
    if (retold === undefined) return undefined;
    const { header, validRound } = retold;
    const headerBytes = encodeHeader(header);
    const digest = headerDigest(ports.hasher, headerBytes);
    stories.set(vote.digest, { digest, validRound });
    const claimed = "validRound" in message ? { validRound } : {};
    return { ...message, ...claimed, headerBytes, signature: signVote(ports, { ...vote, digest, validRound }) } as ConsensusMessage;
  };
  return {
    outgoing: (_to, frame) => {
      const message = ports.frames.messageOf(frame);
      if (message === undefined) return [frame];
      const known = told.get(frame);
      const lie = known === undefined ? lieOf(message) : undefined;
      if (lie !== undefined) ports.deviates();
      const frameTold = known ?? (lie === undefined ? frame : frameOf(lie));
      told.set(frame, frameTold);
      return [frameTold];
    },
  };
}

/** As a new leader it leaves out of its new-view what others proved, and proposes something else. */
export const falseNewViews: Actor = (ports) => {
  const views = new Set<number>();
  const proposals = retelling(ports, (message, header) => {
    if (message.type !== "propose" || !views.has(message.view) || header.proposer === ports.node) return undefined;
    return { header: { ...header, proposer: ports.node, originView: message.view, timeUs: header.timeUs + 1 }, validRound: -1 };
  });
  return {
    outgoing: (to, frame) => {
      const message = ports.frames.messageOf(frame);
      if (message?.type !== "new-view") return proposals.outgoing?.(to, frame) ?? [frame];
      if (message.viewChanges.every(({ prepared }) => prepared.length === 0)) return [frame];
      views.add(message.view);
      ports.deviates();
      return [frameOf({ ...message, viewChanges: message.viewChanges.map((change) => ({ ...change, prepared: [] })) })];
    },
  };
};

/** As the proposer of a later round it says that a value of its own had a polka in the round before. */
export const falsePolkas: Actor = (ports) =>
  retelling(ports, (message, header) => {
    if (message.type !== "round-proposal" || message.view === 0 || header.proposer !== ports.node) return undefined;
    const validRound = message.view - 1;
    const proposer = proposerOf(ports.membership, message.height, validRound);
    return { header: { ...header, proposer, originView: validRound, timeUs: header.timeUs + 1 }, validRound };
  });
