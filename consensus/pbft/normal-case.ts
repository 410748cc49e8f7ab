import { encodeVoteBody, findMember, type Hash, LIMITS, type NodeId, VOTE_TYPE, type VoteType } from "#base";
import type { BallotVote } from "../ballot.ts";
import type { CommitCertificate, Proposal, ProposalDraft } from "../block.ts";
import { minimalVotes, voteBodyOf } from "../certificates.ts";
import { proposalFromDraft, readProposal } from "../proposing.ts";
import { accuse } from "./blame.ts";
import { encodePbftMessage, encodePrepared } from "./codec.ts";
import type { Propose, Vote } from "./messages.ts";
import { preparedKey, proposalKey } from "./records.ts";
import type { Slot } from "./slot.ts";
import type { PbftState } from "./state.ts";

/** Proposals, votes and decisions of the heights in flight: rules P1 to P6. */
export class NormalCase {
  readonly #state: PbftState;
  readonly #onDecided: (proposal: Proposal, certificate: CommitCertificate) => void;
  readonly #onAccepted: () => void;
  #offered = "";

  /**
   * @param hooks.onDecided closes the lowest undecided height
   * @param hooks.onAccepted runs when a proposal is accepted on top of which others may have come already
   */
  constructor(state: PbftState, hooks: { onDecided(proposal: Proposal, certificate: CommitCertificate): void; onAccepted(): void }) {
    this.#state = state;
    this.#onDecided = (proposal, certificate) => hooks.onDecided(proposal, certificate);
    this.#onAccepted = () => hooks.onAccepted();
  }

  /** Tells the driver, once for each (height, view), of the lowest height for which this leader can take a proposal. */
  offer(): void {
    const state = this.#state;
    const { view, tip, leads, isOpen } = state;
    if (!leads || !isOpen) return;
    const undecided = state.slots().flatMap(({ accepted }) => (accepted?.view === view ? accepted.proposal : []));
    const height = tip.height + undecided.length + 1;
    const parent = state.isInWindow(height) && state.mayVote(height) ? state.parentOf(height) : undefined;
    if (parent === undefined || state.slot(height).candidate !== undefined || state.demandAt(height) !== undefined) return;
    const slot = `${height}/${view}/${parent.digest}`;
    if (this.#offered === slot) return;
    this.#offered = slot;
    state.emit({ type: "want-proposal", height, view, parent: parent.digest, timeAfterUs: parent.timeUs, undecided });
  }

  /** A draft of the driver becomes this leader's proposal. */
  onDraft(draft: ProposalDraft): void {
    const state = this.#state;
    const { settings, view } = state;
    const { height } = draft;
    if (!state.leads || !state.isOpen || draft.view !== view || !state.isInWindow(height)) return;
    const { accepted, candidate } = state.slot(height);
    const parent = state.parentOf(height);
    if (accepted !== undefined || candidate !== undefined || parent === undefined || state.demandAt(height) !== undefined) return;
    this.propose(proposalFromDraft(settings, draft, { height, view, parent }));
  }

  /** Signs and sends a proposal of this leader, a first one or a demanded one. */
  propose(proposal: Proposal): void {
    const state = this.#state;
    const { view } = state;
    const { digest, headerBytes, certifiedProof, batch, header } = proposal;
    const { height } = header;
    const slot = state.slot(height);
    slot.candidate = { digest, view, signature: new Uint8Array(0) };
    this.#signVote(slot, { type: VOTE_TYPE.pbftPropose, digest }, (signature) => {
      const { epoch } = state.settings.membership;
      const message: Propose = { type: "propose", epoch, height, view, headerBytes, certifiedProof, batch, signature };
      slot.sent.propose = message;
      this.#accept(slot, message, proposal);
      state.broadcast(message);
      this.#checkPrepared(slot);
      this.offer();
    });
  }

  onPropose(from: NodeId, message: Propose): void {
    const state = this.#state;
    if (from !== state.leader || state.leads) return;
    const proposal = readProposal(state.settings.hasher, message);
    if (proposal === undefined || proposal.header.height !== message.height) return;
    const { digest } = proposal;
    const { signature, view } = message;
    const slot = state.slot(message.height);
    const known = slot.accepted === undefined ? slot.candidate : { ...slot.accepted, digest: slot.accepted.proposal.digest };
    if (known !== undefined) {
      if (known.digest !== digest) accuse(state, slot, { node: from, type: VOTE_TYPE.pbftPropose, view }, [known, { digest, signature }]);
      return;
    }
    // What it follows may still be on its way.
    if (state.parentOf(message.height) === undefined) return state.keepForLater(from, message);
    if (!this.#isAcceptable(proposal)) return;
    slot.candidate = { digest, view, signature };
    const drop = (): void => {
      if (slot.candidate?.digest === digest) slot.candidate = undefined;
    };
    const isCurrent = (): boolean => state.view === view && state.isOpen && this.#isAcceptable(proposal);
    const begun = state.verifyVote({ node: from, height: slot.height, view, digest, signature }, VOTE_TYPE.pbftPropose, (genuine) => {
      if (!genuine || !isCurrent()) return drop();
      const check = state.demandAt(slot.height) === undefined ? "first-proposal" : "re-proposal";
      return state.validate(proposal, check, (valid) => {
        if (!valid || !isCurrent()) return drop();
        this.#accept(slot, message, proposal);
        this.#prepare(slot, digest);
        this.#checkPrepared(slot);
        this.checkDecided(slot, view);
        return this.#onAccepted();
      });
    });
    if (!begun) drop();
  }

  onVote(from: NodeId, message: Vote): void {
    const state = this.#state;
    const type = message.type === "prepare" ? VOTE_TYPE.pbftPrepare : VOTE_TYPE.pbftCommit;
    if (findMember(state.settings.membership, from) === undefined || from === state.settings.self) return;
    const { digest, signature, view } = message;
    const slot = state.slot(message.height);
    const verdict = state.settings.rules.verifiesVotes ? "unknown" : "good";
    const conflicting = state.ballot(slot, type, view).add({ node: from, digest, signature, verdict });
    if (conflicting !== undefined) accuse(state, slot, { node: from, type, view }, [conflicting, { digest, signature }]);
    else if (type === VOTE_TYPE.pbftCommit) this.checkDecided(slot, view);
    else if (view === state.view) this.#checkPrepared(slot);
  }

  /** Votes again for what was accepted before a restart; the guard gives the same bytes. */
  resume(): void {
    const { view, leads } = this.#state;
    for (const slot of this.#state.slots()) {
      if (slot.accepted?.view !== view) continue;
      if (leads) this.propose(slot.accepted.proposal);
      else this.#prepare(slot, slot.accepted.proposal.digest);
    }
    this.#commitPrepared();
  }

  /** What was remembered of the height that was just decided goes; what waited for it may be decided now. */
  onHeight(): void {
    const state = this.#state;
    const [slot] = state.slots();
    if (slot?.height !== state.height) return;
    this.#commitPrepared();
    if (slot.decided !== undefined) this.checkDecided(slot, slot.decided.view);
  }

  /** Rule P4: commits for one digest with a quorum decide, once every height below is decided. */
  checkDecided(slot: Slot, view: number): void {
    const state = this.#state;
    const { settings } = state;
    const { height } = slot;
    const ballot = state.ballot(slot, VOTE_TYPE.pbftCommit, view);
    for (const digest of ballot.digests()) {
      const quorum = ballot.quorum(digest);
      if (quorum === undefined) {
        this.#verifyVotes(slot, VOTE_TYPE.pbftCommit, view, ballot.toVerify(digest));
        continue;
      }
      const votes = minimalVotes(
        settings.membership,
        quorum.map(({ node, signature }) => ({ node, signature })),
        { isQuorum: (weight) => state.isEnough(weight) },
      );
      slot.decided = { epoch: settings.membership.epoch, height, view, digest, votes };
      if (height !== state.height) return;
      const proposal = slot.body(digest);
      if (proposal !== undefined) return this.#onDecided(proposal, slot.decided);
      return this.#askForBlock(
        slot,
        votes.map(({ node }) => node),
      );
    }
  }

  /** Rule P1, as far as bytes tell. */
  #isAcceptable({ header, digest }: Proposal): boolean {
    const state = this.#state;
    const { settings, view, leader } = state;
    const { height } = header;
    const parent = state.parentOf(height);
    const inPlace =
      header.cluster === settings.cluster && header.epoch === settings.membership.epoch && header.protocol === settings.protocol;
    if (!inPlace || parent === undefined || header.parent !== parent.digest || header.timeUs <= parent.timeUs) return false;
    const ahead = height - header.certified.height;
    if (ahead < 1 || ahead > LIMITS.uncertifiedHeightsMax) return false;
    const demanded = state.demandAt(height);
    if (demanded !== undefined) return digest === demanded;
    return header.originView === view && header.proposer === leader;
  }

  #accept(slot: Slot, message: Propose, proposal: Proposal): void {
    const { height, view } = message;
    slot.candidate = undefined;
    slot.accepted = { proposal, view, signature: message.signature };
    this.#state.keepBody(slot, proposal);
    this.#state.append(proposalKey({ height, digest: proposal.digest }), encodePbftMessage(message));
  }

  #prepare(slot: Slot, digest: Hash): void {
    const state = this.#state;
    this.#signVote(slot, { type: VOTE_TYPE.pbftPrepare, digest }, (signature) => {
      slot.sent.prepare = this.#vote("prepare", slot, { view: state.view, digest, signature });
      state.broadcast(slot.sent.prepare);
      state.ballot(slot, VOTE_TYPE.pbftPrepare, state.view).add({ node: state.settings.self, digest, signature, verdict: "good" });
      this.#checkPrepared(slot);
    });
  }

  /** Rule P3. */
  #checkPrepared(slot: Slot): void {
    const state = this.#state;
    const { view, settings, leader } = state;
    const { accepted, height } = slot;
    if (accepted === undefined || accepted.view !== view || !state.isOpen || slot.prepared?.view === view) return;
    const { digest, headerBytes } = accepted.proposal;
    const ballot = state.ballot(slot, VOTE_TYPE.pbftPrepare, view);
    const counted = settings.rules.matchesDigest ? digest : undefined;
    const quorum = ballot.quorum(counted, leader);
    if (quorum === undefined) return this.#verifyVotes(slot, VOTE_TYPE.pbftPrepare, view, ballot.toVerify(counted, leader));
    const votes = minimalVotes(
      settings.membership,
      quorum.map(({ node, signature }) => ({ node, signature })),
      {
        counted: leader,
        isQuorum: (weight) => state.isEnough(weight),
      },
    );
    const { epoch } = settings.membership;
    slot.prepared = { epoch, height, view, digest, headerBytes, proposalSignature: accepted.signature, votes };
    state.append(preparedKey(height), encodePrepared(slot.prepared));
    this.#commitPrepared();
  }

  /** Commits what is prepared, from the lowest height up to the first that is not prepared in this view (P3). */
  #commitPrepared(): void {
    const { view, settings } = this.#state;
    for (const slot of this.#state.slots()) {
      const isPrepared = slot.prepared?.view === view && slot.accepted?.view === view;
      if (!isPrepared && settings.rules.commitsInOrder) return;
      if (isPrepared && slot.sent.commit === undefined) this.#commit(slot, slot.accepted?.proposal.digest);
    }
  }

  #commit(slot: Slot, digest: Hash | undefined): void {
    const state = this.#state;
    const { view } = state;
    if (digest === undefined) return;
    const commitOf = (signature: Uint8Array): Vote => this.#vote("commit", slot, { view, digest, signature });
    const then = (signature: Uint8Array): void => {
      slot.sent.commit = commitOf(signature);
      state.broadcast(slot.sent.commit);
      state.ballot(slot, VOTE_TYPE.pbftCommit, view).add({ node: state.settings.self, digest, signature, verdict: "good" });
      this.checkDecided(slot, view);
    };
    // P6: the votes that decided it here need not have come to everybody.
    this.#signVote(slot, { type: VOTE_TYPE.pbftCommit, digest }, then, (signature) => state.broadcast(commitOf(signature)));
  }

  /** Decided, but the proposal never came or was not valid here: whoever decided has the block. */
  #askForBlock(slot: Slot, voters: readonly NodeId[]): void {
    // A proposal that is still being checked will decide the height by itself.
    if (slot.askedForBlock || slot.candidate !== undefined) return;
    slot.askedForBlock = true;
    const peers = voters.filter((node) => node !== this.#state.settings.self);
    this.#state.emit({ type: "request-sync", fromHeight: slot.height, peers });
  }

  #verifyVotes(slot: Slot, type: VoteType, view: number, votes: readonly BallotVote[]): void {
    const state = this.#state;
    for (const vote of votes) {
      vote.verdict = "checking";
      const { node, digest, signature } = vote;
      const begun = state.verifyVote({ node, height: slot.height, view, digest, signature }, type, (valid) => {
        if (valid) vote.verdict = "good";
        else state.ballot(slot, type, view).drop(vote.node);
        if (type === VOTE_TYPE.pbftCommit) this.checkDecided(slot, view);
        else this.#checkPrepared(slot);
      });
      if (!begun) vote.verdict = "unknown";
    }
  }

  #signVote(
    slot: Slot,
    vote: { readonly type: VoteType; readonly digest: Hash },
    then: (signature: Uint8Array) => void,
    ifDecided?: (signature: Uint8Array) => void,
  ): void {
    const state = this.#state;
    const { view, settings } = state;
    const { height } = slot;
    const body = encodeVoteBody(
      voteBodyOf(settings.cluster, { epoch: settings.membership.epoch, height, view, digest: vote.digest }, vote.type),
    );
    const purpose = vote.type === VOTE_TYPE.pbftPropose ? "proposal" : "vote";
    const unlessLate = (signature: Uint8Array): void => {
      // Signed late, after a view change began: the guard knows it, but it is not sent any more.
      if (state.view === view && state.isOpen) then(signature);
    };
    state.sign({ purpose, height, view, phase: vote.type, digest: vote.digest }, body, unlessLate, ifDecided);
  }

  #vote(type: "prepare" | "commit", slot: Slot, vote: Pick<Vote, "view" | "digest" | "signature">): Vote {
    return { type, epoch: this.#state.settings.membership.epoch, height: slot.height, ...vote };
  }
}
