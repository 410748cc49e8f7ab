import { type Hash, type Hasher, headerDigest, VOTE_TYPE, type VoteType, ZERO_HASH } from "#base";
import type { ConsensusMessage } from "./messages.ts";

/** A vote of a peer as it was seen on the wire: to remind it of, should it lose its memory (vote guard, rule G3). */
export interface SeenVote {
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly type: VoteType;
  readonly digest: Hash;
  readonly validRound: number;
  readonly signature: Uint8Array;
}

/**
 * The signed vote or proposal that a message is, if it is one. The signature is not checked: whom it is shown to checks its own. It is a copy: who
 * remembers what a proposal said must not keep megabytes of its frame in memory.
 */
export function seenVoteOf(message: ConsensusMessage, hasher: Hasher): SeenVote | undefined {
  const vote = voteIn(message, hasher);
  return vote === undefined ? undefined : { ...vote, signature: new Uint8Array(vote.signature) };
}

function voteIn(message: ConsensusMessage, hasher: Hasher): SeenVote | undefined {
  switch (message.type) {
    case "propose": {
      const { epoch, height, view, signature, headerBytes } = message;
      const digest = headerDigest(hasher, headerBytes);
      return { epoch, height, view, type: VOTE_TYPE.pbftPropose, digest, validRound: -1, signature };
    }
    case "prepare":
    case "commit": {
      const { epoch, height, view, digest, signature } = message;
      const type = message.type === "prepare" ? VOTE_TYPE.pbftPrepare : VOTE_TYPE.pbftCommit;
      return { epoch, height, view, type, digest, validRound: -1, signature };
    }
    case "round-proposal": {
      const { epoch, height, view, validRound, signature, headerBytes } = message;
      const digest = headerDigest(hasher, headerBytes);
      return { epoch, height, view, type: VOTE_TYPE.tendermintPropose, digest, validRound, signature };
    }
    case "prevote": {
      const { epoch, height, view, digest, validRound, signature } = message;
      const type = digest === ZERO_HASH ? VOTE_TYPE.tendermintPrevoteNil : VOTE_TYPE.tendermintPrevote;
      return { epoch, height, view, type, digest, validRound, signature };
    }
    case "precommit": {
      const { epoch, height, view, digest, signature } = message;
      const type = digest === ZERO_HASH ? VOTE_TYPE.tendermintPrecommitNil : VOTE_TYPE.tendermintPrecommit;
      return { epoch, height, view, type, digest, validRound: -1, signature };
    }
    default:
      return undefined;
  }
}
