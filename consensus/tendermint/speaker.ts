import { encodeVoteBody, type Hash, VOTE_TYPE, type VoteType } from "#base";
import type { Proposal } from "../block.ts";
import { voteBodyOf, votePurpose } from "../certificates.ts";
import { phaseOf } from "../vote-guard.ts";
import { encodeRecord } from "./codec.ts";
import type { Precommit, Prevote, RoundProposal } from "./messages.ts";
import { sentKey } from "./records.ts";
import { isNil, type ReceivedProposal, type TendermintState, typeOf } from "./state.ts";

/** What this node says: signed, written, sent, and counted as its own, in this order (T11). */
export class Speaker {
  readonly #state: TendermintState;
  readonly #onOwnProposal: (received: ReceivedProposal, message: RoundProposal) => void;
  readonly #onVote: () => void;

  constructor(state: TendermintState, hooks: { onOwnProposal(received: ReceivedProposal, message: RoundProposal): void; onVote(): void }) {
    this.#state = state;
    this.#onOwnProposal = (received, message) => hooks.onOwnProposal(received, message);
    this.#onVote = () => hooks.onVote();
  }

  /** Signs and sends this proposer's value. */
  propose(proposal: Proposal, validRound: number): void {
    const state = this.#state;
    const { epoch, height, round } = state;
    const { digest, headerBytes, certifiedProof, batch } = proposal;
    const record = state.current();
    if (record.proposal !== undefined) return;
    const received: ReceivedProposal = { proposal, validRound, signature: new Uint8Array(0), verdict: "checking" };
    record.proposal = received;
    this.#sign(VOTE_TYPE.tendermintPropose, digest, validRound, (signature) => {
      const message: RoundProposal = {
        type: "round-proposal",
        epoch,
        height,
        view: round,
        validRound,
        headerBytes,
        certifiedProof,
        batch,
        signature,
      };
      record.proposal = { ...received, signature };
      state.sent.proposal = message;
      state.append(sentKey("proposal"), encodeRecord(message));
      state.broadcast(message);
      this.#onOwnProposal(record.proposal, message);
    });
  }

  /** Prevotes; zeros for nil. */
  prevote(digest: Hash, validRound: number): void {
    const state = this.#state;
    const { epoch, height, round } = state;
    state.step = "prevote";
    const { self } = state.settings;
    const say = (signature: Uint8Array): void => {
      const message: Prevote = { type: "prevote", epoch, height, view: round, digest, validRound, signature };
      state.sent.prevote = message;
      state.append(sentKey("prevote"), encodeRecord(message));
      state.broadcast(message);
      state.current().prevotes.add({ node: self, digest, signature, validRound, verdict: "good" });
      this.#onVote();
    };
    this.#sign(VOTE_TYPE.tendermintPrevote, digest, validRound, (signature) => {
      if (state.unsureRound !== round) return say(signature);
      // Given again by the guard, it may name another valid round: that is the only prevote which this node has in the round.
      const claim = state.claimOf({ node: self, digest, signature, validRound }, round, VOTE_TYPE.tendermintPrevote);
      if (claim !== undefined) state.verify([claim], (genuine) => genuine && state.round === round && say(signature));
    });
  }

  /** Precommits; zeros for nil. */
  precommit(digest: Hash): void {
    const state = this.#state;
    const { epoch, height, round } = state;
    state.step = "precommit";
    const messageOf = (signature: Uint8Array): Precommit => ({ type: "precommit", epoch, height, view: round, digest, signature });
    const then = (signature: Uint8Array): void => {
      const message = messageOf(signature);
      state.sent.precommit = message;
      state.append(sentKey("precommit"), encodeRecord(message));
      state.broadcast(message);
      state.current().precommits.add({ node: state.settings.self, digest, signature, validRound: -1, verdict: "good" });
      this.#onVote();
    };
    // T18: the votes that decided it here need not have come to everybody.
    this.#sign(VOTE_TYPE.tendermintPrecommit, digest, -1, then, (signature) => {
      if (!isNil(digest)) state.broadcast(messageOf(signature));
    });
  }

  #sign(
    type: VoteType,
    digest: Hash,
    validRound: number,
    then: (signature: Uint8Array) => void,
    ifDecided?: (signature: Uint8Array) => void,
  ): void {
    const state = this.#state;
    const { round, height, epoch, settings } = state;
    const body = encodeVoteBody(voteBodyOf(settings.cluster, { epoch, height, view: round, digest, validRound }, typeOf(type, digest)));
    const unlessLate = (signature: Uint8Array): void => {
      // Signed late, in another round by now: the guard knows it, but it is not sent any more.
      if (state.round === round) then(signature);
    };
    state.sign({ purpose: votePurpose(type), height, view: round, phase: phaseOf(type), digest }, body, unlessLate, ifDecided);
  }
}
