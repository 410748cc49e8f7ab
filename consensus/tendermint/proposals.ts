import type { NodeId } from "#base";
import { type Hash, LIMITS, VOTE_TYPE } from "#base";
import type { BallotVote } from "../ballot.ts";
import type { Proposal } from "../block.ts";
import { readProposal } from "../proposing.ts";
import { accuse } from "./blame.ts";
import { encodeRecord } from "./codec.ts";
import type { PassedProposal, RoundProposal } from "./messages.ts";
import { bodyKey } from "./records.ts";
import type { ReceivedProposal, Round, TendermintState } from "./state.ts";

/** What proposals need from voting. */
export interface ProposalsPorts {
  /** Something may follow from what is known now. */
  evaluate(): void;
}

/** Proposals as they come in: from their proposer, or from members that were asked for them (T20). */
export class Proposals {
  readonly #state: TendermintState;
  readonly #ports: ProposalsPorts;

  constructor(state: TendermintState, ports: ProposalsPorts) {
    this.#state = state;
    this.#ports = ports;
  }

  /** A proposal, from its proposer. */
  onProposal(from: NodeId, message: RoundProposal): void {
    const state = this.#state;
    const round = state.at(message.view);
    if (round === undefined || from !== state.proposerAt(message.view)) return;
    const received = this.#read(round, message);
    if (received === undefined) return;
    round.proposal = received;
    state.begun = true;
    const begun = this.#verify(message.view, received, (genuine) => {
      if (!genuine) return drop(round, received);
      state.noteProposal(from, message.view);
      this.#validate(received, (valid) => {
        if (valid) return this.accept(received, message);
        received.verdict = "invalid";
        this.#ports.evaluate();
        return drop(round, received);
      });
    });
    if (!begun) drop(round, received);
  }

  /**
   * A proposal, from a member that was asked for it. The signature binds neither batch nor proof, so what is not valid as it was passed on is held
   * against nobody, and bars the way to nothing: another one that was asked has it as it was said.
   */
  onPassed(from: NodeId, message: PassedProposal): void {
    const state = this.#state;
    const { view } = message;
    const round = state.at(view);
    const received = round === undefined ? undefined : this.#read(round, message);
    if (round === undefined || received === undefined) return;
    const { digest } = received.proposal;
    if (!state.isNamed(digest) && state.wanted.get(digest)?.asked.delete(from) !== true) return;
    this.#verify(view, received, (genuine) => {
      if (!genuine || round.proposal !== undefined) return;
      this.#validate(received, (valid) => {
        if (!valid) return;
        round.proposal ??= received;
        if (round.proposal === received) this.accept(received, { ...message, type: "round-proposal" });
      });
    });
  }

  /** T20: the proposer kept its proposal from this node. */
  fetch(digest: Hash, votes: readonly BallotVote[]): void {
    const state = this.#state;
    const { height, round, wanted } = state;
    if (wanted.get(digest)?.round === round) return;
    wanted.set(digest, { round, asked: new Set(votes.map(({ node }) => node)) });
    for (const { node } of votes) state.emit({ type: "send", to: node, message: { type: "fetch-proposal", height, digest } });
  }

  /** A body came for a value that a polka or a quorum of precommits names. */
  onBody(proposal: Proposal): void {
    const state = this.#state;
    if (state.bodies.has(proposal.digest) || !state.isNamed(proposal.digest)) return;
    state.validate(proposal, "re-proposal", (valid) => {
      if (!valid) return;
      state.bodies.set(proposal.digest, proposal);
      this.#ports.evaluate();
    });
  }

  /** A proposal is valid, this node's own or another's. */
  accept(received: ReceivedProposal, message: RoundProposal): void {
    const state = this.#state;
    const { digest } = received.proposal;
    received.verdict = "valid";
    // Its round was forgotten while it was checked, and with the round what would let the value go.
    if (state.known(message.view)?.proposal !== received && !state.isNamed(digest)) return;
    if (message.view === 0 && state.step === "propose") state.punctuality.onProposed(state.proposerAt(0), state.height);
    if (!state.bodies.has(digest)) {
      state.bodies.set(digest, received.proposal);
      state.append(bodyKey(state.height, digest), encodeRecord(message));
    }
    this.#ports.evaluate();
  }

  /** What a message proposes when it is in place and new to its round; another one than the round's is evidence. */
  #read(round: Round, message: RoundProposal | PassedProposal): ReceivedProposal | undefined {
    const state = this.#state;
    const { view, validRound, signature } = message;
    const proposer = state.proposerAt(view);
    if (proposer === state.settings.self || validRound >= view) return undefined;
    const proposal = readProposal(state.settings.hasher, message);
    if (proposal === undefined) return undefined;
    const known = round.proposal;
    const { digest } = proposal;
    if (known === undefined)
      return this.#isAcceptable(proposal, view, validRound) ? { proposal, validRound, signature, verdict: "checking" } : undefined;
    if (known.proposal.digest === digest && known.validRound === validRound) return undefined;
    const first = { digest: known.proposal.digest, signature: known.signature, validRound: known.validRound };
    accuse(state, { node: proposer, round: view, type: VOTE_TYPE.tendermintPropose }, [first, { digest, signature, validRound }]);
    return undefined;
  }

  /** Whether it is the proposer's; false when the check cannot begin. */
  #verify(view: number, { proposal, signature, validRound }: ReceivedProposal, then: (genuine: boolean) => void): boolean {
    const state = this.#state;
    const said = { node: state.proposerAt(view), digest: proposal.digest, signature, validRound };
    const claim = state.claimOf(said, view, VOTE_TYPE.tendermintPropose);
    return claim !== undefined && state.verify([claim], then);
  }

  #validate({ proposal, validRound }: ReceivedProposal, then: (valid: boolean) => void): void {
    const state = this.#state;
    if (state.bodies.has(proposal.digest)) return then(true);
    // What a quorum found timely may be late by now.
    const isFirst = validRound < 0 && !state.isNamed(proposal.digest);
    return state.validate(proposal, isFirst ? "first-proposal" : "re-proposal", then);
  }

  /** The header follows the tip, and is the first proposer's of its round; what may be repeated is said by a polka. */
  #isAcceptable({ header }: Proposal, round: number, validRound: number): boolean {
    const { settings, height, tip } = this.#state;
    const inPlace =
      header.cluster === settings.cluster && header.epoch === settings.membership.epoch && header.protocol === settings.protocol;
    const follows = header.height === height && header.parent === tip.digest && header.timeUs > tip.timeUs;
    const ahead = height - header.certified.height;
    if (!inPlace || !follows || ahead < 1 || ahead > LIMITS.uncertifiedHeightsMax) return false;
    const origin = header.originView;
    return header.proposer === this.#state.proposerAt(origin) && (validRound < 0 ? origin === round : origin <= validRound);
  }
}

/** No verdict, or somebody else's bytes: the same proposal may come again and is checked again. */
function drop(round: Round, received: ReceivedProposal): void {
  if (round.proposal === received) round.proposal = undefined;
}
