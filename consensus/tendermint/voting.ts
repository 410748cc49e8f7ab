import { LIMITS, type NodeId, VOTE_TYPE, type VoteType, ZERO_HASH } from "#base";
import type { Ballot, BallotVote } from "../ballot.ts";
import type { CommitCertificate, Proposal, ProposalDraft } from "../block.ts";
import { proposalFromDraft } from "../proposing.ts";
import { accuse, suspectAmnesia } from "./blame.ts";
import { encodeRecord } from "./codec.ts";
import { Disclosure, decisionOf, missesDecision } from "./disclosure.ts";
import type { Polka, Precommit, Prevote, RoundCertificate, RoundVote, TendermintMessage } from "./messages.ts";
import { certificateOf, polkaOf } from "./proofs.ts";
import { Proposals } from "./proposals.ts";
import { LOCK_KEY, ROUND_KEY } from "./records.ts";
import { RoundSkip } from "./round-skip.ts";
import { Speaker } from "./speaker.ts";
import { isNil, type Round, type TendermintState } from "./state.ts";
import { Waiting } from "./waiting.ts";

/** What voting tells the core. */
export interface VotingHooks {
  onDecided(proposal: Proposal, certificate: CommitCertificate): void;
  /** A wait of the step begins, once in a round. */
  onWait(step: "prevote" | "precommit"): void;
  onRound(): void;
}

/** Proposals and votes of one height: rules T1 to T10 of docs/protocols/tendermint.md. */
export class Voting {
  readonly #state: TendermintState;
  readonly #hooks: VotingHooks;
  readonly #speaker: Speaker;
  readonly #proposals: Proposals;
  readonly #skip: RoundSkip;
  readonly #disclosure: Disclosure;
  readonly #waiting: Waiting;
  #offered = "";
  #asked = "";

  constructor(state: TendermintState, hooks: VotingHooks) {
    this.#state = state;
    this.#hooks = hooks;
    this.#skip = new RoundSkip(state, (...about) => this.#verifyVotes(...about));
    this.#waiting = new Waiting(state, {
      verifyVotes: (...about) => this.#verifyVotes(...about),
      onWait: (step) => hooks.onWait(step),
      giveUpProposal: () => this.passOver(),
      fetchProposal: (digest, votes) => this.#proposals.fetch(digest, votes),
      giveUpPrevotes: () => this.giveUpPrevotes(),
      enterNext: () => this.enterNext(),
    });
    this.#disclosure = new Disclosure(state, (...decided) => this.#hooks.onDecided(...decided));
    this.#proposals = new Proposals(state, { evaluate: () => this.evaluate() });
    this.#speaker = new Speaker(state, {
      onOwnProposal: (received, message) => this.#proposals.accept(received, message),
      onVote: () => this.evaluate(),
    });
  }

  /** Everything that may follow from what is known now. */
  evaluate(): void {
    const state = this.#state;
    const { height } = state;
    this.#disclosure.decide();
    if (state.height !== height) return;
    for (const [number, round] of state.rounds()) {
      this.#countPrecommits(number, round);
      if (state.height !== height) return;
      this.#countPrevotes(number, round);
    }
    if (!state.mayVote()) return;
    const ahead = this.#skip.find();
    if (ahead !== undefined) return this.#enter(ahead);
    this.#propose();
    this.#answerProposal();
    this.#waiting.forProposal();
    this.#lockOrPass();
    this.#disclosure.showPolka();
    this.#waiting.forVotes();
  }

  /** The wait for precommits is over, or they can agree no more (T10, T15). */
  enterNext(): void {
    if (this.#state.mayVote()) this.#enter(this.#skip.next());
  }

  /** A proof that somebody is in a later round (T14), or has decided (T19). */
  onRoundCertificate(from: NodeId, message: RoundCertificate): void {
    const decision = decisionOf(message);
    if (decision !== undefined) return this.#disclosure.onDecision(from, decision);
    this.#skip.check(from, message, () => {
      this.#takeProved(message.votes);
      this.#enter(message);
    });
  }

  /** Enters a round (T1, T9, T10, T14). */
  #enter(entry: RoundCertificate): void {
    const state = this.#state;
    if (entry.view <= state.round) return;
    state.round = entry.view;
    state.entry = entry;
    state.append(ROUND_KEY, encodeRecord(entry));
    state.broadcast(entry);
    state.step = "propose";
    state.begun = true;
    this.#hooks.onRound();
    this.evaluate();
  }

  get proposals(): Proposals {
    return this.#proposals;
  }

  /** A draft of the driver becomes this proposer's value. */
  onDraft(draft: ProposalDraft): void {
    const state = this.#state;
    const { settings, height, round, tip } = state;
    if (draft.height !== height || draft.view !== round || state.valid !== undefined || !this.#maySpeak()) return;
    this.#speaker.propose(proposalFromDraft(settings, draft, { height, view: round, parent: tip }), -1);
  }

  onVote(from: NodeId, message: Prevote | Precommit): void {
    const state = this.#state;
    const round = state.at(message.view);
    if (round === undefined || from === state.settings.self) return;
    const isPrevote = message.type === "prevote";
    const { digest, signature, view } = message;
    const validRound = isPrevote ? message.validRound : -1;
    if (validRound >= view || (isNil(digest) && validRound !== -1)) return;
    const type = isPrevote ? VOTE_TYPE.tendermintPrevote : VOTE_TYPE.tendermintPrecommit;
    if (state.claimOf({ node: from, digest, signature, validRound }, view, type) === undefined) return;
    state.begun = true;
    const verdict = state.settings.rules.verifiesVotes ? "unknown" : "good";
    this.#take(round, { view, type }, { node: from, digest, signature, validRound, verdict });
    this.evaluate();
  }

  /** A member's vote, and whether it contradicts what that member said before. */
  #take(round: Round, { view, type }: { readonly view: number; readonly type: VoteType }, vote: BallotVote): void {
    const state = this.#state;
    const { node, digest, signature, validRound = -1 } = vote;
    const isPrevote = type === VOTE_TYPE.tendermintPrevote;
    const conflicting = (isPrevote ? round.prevotes : round.precommits).add(vote);
    if (conflicting !== undefined)
      accuse(state, { node, round: view, type }, [
        { validRound: -1, ...conflicting },
        { digest, signature, validRound },
      ]);
    suspectAmnesia(state, { node, round: view, isPrevote });
  }

  /** Verified votes of a proof: whoever said otherwise to this node, or forgot what it said, is found by what it said to others. */
  #takeProved(votes: readonly RoundVote[]): void {
    for (const { node, round: view, step, digest, validRound, signature } of votes) {
      const round = node === this.#state.settings.self ? undefined : this.#state.at(view);
      const type = step === "prevote" ? VOTE_TYPE.tendermintPrevote : VOTE_TYPE.tendermintPrecommit;
      if (round !== undefined) this.#take(round, { view, type }, { node, digest, signature, validRound, verdict: "good" });
    }
  }

  /** A polka of any round: it proves a value valid to those who missed its prevotes. */
  onPolka(message: Polka): void {
    const state = this.#state;
    const { digest, votes, view } = message;
    if (state.known(view)?.polka !== undefined || view > state.round + LIMITS.viewAheadMax || isNil(digest)) return;
    const [first] = votes;
    if (first === undefined || first.validRound >= view || votes.some(({ validRound }) => validRound !== first.validRound)) return;
    if (!votes.every(({ node }, index) => index === 0 || (votes[index - 1]?.node ?? "") < node)) return;
    if (!state.isQuorum(votes.map(({ node }) => node))) return;
    const claims = votes.flatMap((vote) => state.claimOf({ ...vote, digest }, view, VOTE_TYPE.tendermintPrevote) ?? []);
    if (claims.length !== votes.length) return;
    state.verify(claims, (genuine) => {
      const round = genuine ? state.at(view, true) : undefined;
      if (round === undefined || round.polka !== undefined) return;
      this.#onPolka(round, message);
      this.#takeProved(votes.map((vote) => ({ ...vote, round: view, step: "prevote", digest })));
      this.evaluate();
    });
  }

  /** The proposer's time is over (T10), here or where others waited (T15). */
  passOver(): void {
    this.#state.noteGivenUp();
    this.doubt();
  }

  /** There is a reason not to wait for the proposal. */
  doubt(): void {
    if (this.#state.step === "propose" && this.#state.mayVote()) this.#speaker.prevote(ZERO_HASH, -1);
  }

  /** Prevotes do not agree in time (T10). */
  giveUpPrevotes(): void {
    if (this.#state.step === "prevote" && this.#state.mayVote()) this.#speaker.precommit(ZERO_HASH);
  }

  /** T8: precommits of a quorum for one value, in any round, decide. */
  #countPrecommits(number: number, round: Round): void {
    const state = this.#state;
    for (const digest of round.precommits.digests()) {
      const quorum = round.precommits.quorum(digest);
      if (quorum === undefined)
        this.#verifyVotes(round.precommits, VOTE_TYPE.tendermintPrecommit, number, round.precommits.toVerify(digest));
      else if (!isNil(digest)) {
        const proposal = state.bodies.get(digest);
        const certificate = certificateOf(state, { view: number, digest }, quorum);
        if (proposal !== undefined) return this.#decide(proposal, certificate);
        return this.#ask(`block/${digest}`, () =>
          state.emit({
            type: "request-sync",
            fromHeight: state.height,
            peers: certificate.votes.map(({ node }) => node).filter((node) => node !== state.settings.self),
          }),
        );
      }
    }
  }

  #decide(proposal: Proposal, certificate: CommitCertificate): void {
    const show = this.#disclosure.ofDecision(certificate);
    this.#hooks.onDecided(proposal, certificate);
    show();
  }

  /** Who says something of a height that is not the present one: one of both has missed a decision (T19). */
  onOtherHeight(from: NodeId, message: TendermintMessage): void {
    if (message.height > this.#state.height) this.#disclosure.onNextHeight(from);
    else if (missesDecision(this.#state, message)) this.#disclosure.showDecision(from);
  }

  /**
   * Prevotes of a quorum for one value and one valid round make a polka. Otherwise whoever forgot a lock could name any round, and its vote would count
   * with those of members that answered what was proposed.
   */
  #countPrevotes(number: number, round: Round): void {
    if (round.polka !== undefined) return;
    const { prevotes } = round;
    for (const { digest, validRound } of prevotes.values()) {
      const quorum = prevotes.quorum(digest, undefined, validRound);
      if (quorum === undefined)
        this.#verifyVotes(prevotes, VOTE_TYPE.tendermintPrevote, number, prevotes.toVerify(digest, undefined, validRound));
      else if (!isNil(digest)) return this.#onPolka(round, polkaOf(this.#state, { view: number, digest }, quorum));
    }
  }

  /** The newest polka is what this node proposes; the value itself may still be missing. */
  #onPolka(round: Round, polka: Polka): void {
    const state = this.#state;
    round.polka = polka;
    if (state.valid !== undefined && state.valid.view >= polka.view) return;
    state.valid = polka;
    const { digest, height } = polka;
    if (!state.bodies.has(digest)) this.#ask(`body/${digest}`, () => state.broadcast({ type: "fetch-proposal", height, digest }));
  }

  /** T1: the proposer proposes the newest valid value, or asks the driver for a new one. */
  #propose(): void {
    const state = this.#state;
    const { height, round, tip, valid } = state;
    if (!this.#maySpeak()) return;
    if (valid !== undefined) {
      const body = state.bodies.get(valid.digest);
      if (body === undefined) return;
      if (state.settings.rules.sharesPolkas) state.broadcast(valid);
      return this.#speaker.propose(body, valid.view);
    }
    const slot = `${height}/${round}`;
    if (this.#offered === slot) return;
    this.#offered = slot;
    state.emit({ type: "want-proposal", height, view: round, parent: tip.digest, timeAfterUs: tip.timeUs, undecided: [] });
  }

  /** T2 and T3. */
  #answerProposal(): void {
    const state = this.#state;
    const received = state.current().proposal;
    if (state.step !== "propose" || received === undefined || received.verdict === "checking") return;
    const { proposal, validRound, verdict } = received;
    if (verdict === "invalid") return this.#speaker.prevote(ZERO_HASH, -1);
    const { digest } = proposal;
    if (validRound >= 0 && state.settings.rules.needsPolka && state.known(validRound)?.polka?.digest !== digest) return;
    const may = state.settings.rules.mayPrevote({ lockedRound: state.locked?.round ?? -1, validRound });
    return may ? this.#speaker.prevote(digest, validRound) : this.#speaker.prevote(ZERO_HASH, -1);
  }

  /** T5: with a polka of the round and its value, lock and precommit. T6: with a quorum of nil prevotes, precommit nil. */
  #lockOrPass(): void {
    const state = this.#state;
    if (state.step !== "prevote") return;
    const { polka, prevotes } = state.current();
    if (polka !== undefined && state.bodies.has(polka.digest)) {
      if (state.settings.rules.locks) state.locked = { round: polka.view, digest: polka.digest };
      state.append(LOCK_KEY, encodeRecord(polka));
      return this.#speaker.precommit(polka.digest);
    }
    if (prevotes.quorum(ZERO_HASH) !== undefined) this.#speaker.precommit(ZERO_HASH);
  }

  #maySpeak(): boolean {
    const state = this.#state;
    return (
      state.mayVote() && state.step === "propose" && state.proposer === state.settings.self && state.sent.proposal?.view !== state.round
    );
  }

  #verifyVotes(ballot: Ballot, type: VoteType, round: number, votes: readonly BallotVote[]): void {
    const state = this.#state;
    for (const vote of votes) {
      const claim = state.claimOf(vote, round, type);
      if (claim === undefined) continue;
      vote.verdict = "checking";
      const begun = state.verify([claim], (valid) => {
        if (valid) vote.verdict = "good";
        else ballot.drop(vote.node);
        this.evaluate();
      });
      if (!begun) vote.verdict = "unknown";
    }
  }

  /** Asks once in a round. */
  #ask(what: string, send: () => void): void {
    const { height, round } = this.#state;
    const key = `${height}/${round}/${what}`;
    if (this.#asked === key) return;
    this.#asked = key;
    send();
  }
}
