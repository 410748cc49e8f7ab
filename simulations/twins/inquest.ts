import { type Hash, type Membership, type NodeId, parseNodeId, ZERO_HASH } from "#base";
import { type ConsensusMessage, type Core, createCore, type Prevote, type RoundVote } from "#consensus";
import type { KeyMill } from "../keys.ts";

/** What an inquest has before it. */
export interface InquestFile {
  readonly engine: "tendermint" | "pbft" | "raft";
  readonly cluster: Hash;
  readonly membership: Membership;
  readonly keys: KeyMill;
  /** The height that was decided twice. */
  readonly height: number;
  /** Messages that honest nodes heard, with their senders. */
  readonly heard: ReadonlyMap<ConsensusMessage, NodeId>;
}

/** Nobody's id: who sits in judgement votes nowhere. */
const JUDGE = parseNodeId("inquest");

/**
 * Who signed what no honest member signs, with the kind of evidence. All votes that honest nodes heard, alone or in certificates, come before one
 * core that holds no value, so it decides nothing and only compares: what no single node could see is seen by it. Source: accountable Tendermint.
 */
export function inquest(file: InquestFile): ReadonlyMap<NodeId, string> {
  const { height, cluster, membership } = file;
  const named = new Map<NodeId, string>();
  const hasher = { sha256: () => new Uint8Array(32) };
  const tip = { height: height - 1, digest: ZERO_HASH, timeUs: 0, view: 0 };
  const core = createCore("tendermint", {
    ...{ cluster, membership, hasher, tip, self: JUDGE, protocol: 1, window: 1, seed: 1 },
    restored: { records: [], guard: [] },
  });
  for (const [message, sender] of file.heard) {
    if (!("height" in message) && message.type !== "block") continue;
    for (const [from, vote] of votesIn(message, sender)) if (vote.height === height) hear(core, { from, vote, file, named });
  }
  return named;
}

type Vote = Extract<ConsensusMessage, { type: "prevote" | "precommit" }>;

function hear(
  core: Core,
  about: { readonly from: NodeId; readonly vote: Vote; readonly file: InquestFile; readonly named: Map<NodeId, string> },
): void {
  const { from, vote, file, named } = about;
  const effects = [...core.step({ type: "message", from, message: vote })];
  for (let effect = effects.shift(); effect !== undefined; effect = effects.shift()) {
    if (effect.type === "evidence") named.set(effect.evidence.offender, effect.evidence.kind);
    if (effect.type !== "verify") continue;
    const { id } = effect;
    file.keys.verifier.verify(effect.claims, (verdicts) => effects.push(...core.step({ type: "verified", id, verdicts })));
  }
}

/** The votes that a message is or carries. */
function votesIn(message: ConsensusMessage, sender: NodeId): (readonly [NodeId, Vote])[] {
  switch (message.type) {
    case "prevote":
    case "precommit":
      return [[sender, message]];
    case "polka": {
      const { epoch, height, view, digest } = message;
      return message.votes.map(({ node, validRound, signature }) => [
        node,
        { type: "prevote", epoch, height, view, digest, validRound, signature } satisfies Prevote,
      ]);
    }
    case "block": {
      const { epoch, height, view, digest } = message.certificate;
      return message.certificate.votes.map(({ node, signature }) => [node, { type: "precommit", epoch, height, view, digest, signature }]);
    }
    case "round-certificate":
      return message.votes.map((vote) => [vote.node, fromRound(message, vote)]);
    default:
      return [];
  }
}

function fromRound({ epoch, height }: { readonly epoch: number; readonly height: number }, vote: RoundVote): Vote {
  const { round: view, step, digest, validRound, signature } = vote;
  return step === "prevote"
    ? { type: "prevote", epoch, height, view, digest, validRound, signature }
    : { type: "precommit", epoch, height, view, digest, signature };
}
