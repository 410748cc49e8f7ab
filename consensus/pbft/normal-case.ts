import {
  type BlockHeader,
  encodeHeader,
  encodeVoteBody,
  findMember,
  type Hash,
  headerDigest,
  LIMITS,
  type NodeId,
  parseHeader,
  VOTE_TYPE,
  type VoteType,
  weightOf,
} from "#base";
import type { CommitCertificate, Proposal, ProposalDraft } from "../block.ts";
import { checkCommitCertificate, commitCertificateClaims, minimalVotes, voteBodyOf } from "../certificates.ts";
import type { DecidedBlockMessage } from "../messages.ts";
import type { BallotVote } from "./ballot.ts";
import { encodePbftMessage, encodePrepared } from "./codec.ts";
import type { Propose, Vote } from "./messages.ts";
import { preparedKey, proposalKey } from "./records.ts";
import type { PbftState } from "./state.ts";

/** Proposals, votes and decisions of the current height: rules P1 to P6. */
export class NormalCase {
  readonly #state: PbftState;
  readonly #onDecided: (certificate: CommitCertificate) => void;
  #offered = "";
  #askedForBlock = 0;
  #checkingBlock = false;
  /** Slots that somebody was blamed for at this height: replayed contradictions are not evidence again. */
  readonly #blamed = new Set<string>();

  /** @param onDecided runs when the height is decided and the state stands at the next one */
  constructor(state: PbftState, onDecided: (certificate: CommitCertificate) => void) {
    this.#state = state;
    this.#onDecided = onDecided;
  }

  /** Tells the driver, once for each (height, view), that this leader can take a proposal. */
  offer(): void {
    const { leads, isOpen, accepted, candidate, mayVote, height, view, tip, demand } = this.#state;
    const slot = `${height}/${view}`;
    if (!leads || !isOpen || !mayVote || accepted !== undefined || candidate !== undefined || demand?.digest !== undefined) return;
    if (this.#offered === slot) return;
    this.#offered = slot;
    this.#state.emit({ type: "want-proposal", height, view, parent: tip.digest, timeAfterUs: tip.timeUs, undecided: [] });
  }

  /** A draft of the driver becomes this leader's proposal. */
  onDraft(draft: ProposalDraft): void {
    const state = this.#state;
    const { settings, view, height, tip } = state;
    const open = state.leads && state.isOpen && state.accepted === undefined && state.candidate === undefined;
    if (!open || draft.height !== height || draft.view !== view || state.demand?.digest !== undefined) return;
    const header: BlockHeader = {
      protocol: settings.protocol,
      cluster: settings.cluster,
      epoch: settings.membership.epoch,
      height,
      originView: view,
      proposer: settings.self,
      timeUs: draft.timeUs,
      parent: tip.digest,
      commandsRoot: draft.commandsRoot,
      certified: draft.certified,
    };
    const headerBytes = encodeHeader(header);
    const digest = headerDigest(settings.hasher, headerBytes);
    this.propose({ header, headerBytes, digest, batch: draft.batch, certifiedProof: draft.certifiedProof });
  }

  /** Signs and sends a proposal of this leader, a first one or a demanded one. */
  propose(proposal: Proposal): void {
    const state = this.#state;
    const { view, height } = state;
    const { digest, headerBytes, certifiedProof, batch } = proposal;
    state.candidate = { digest, view, signature: new Uint8Array(0) };
    this.#signVote({ type: VOTE_TYPE.pbftPropose, digest }, (signature) => {
      if (state.view !== view || !state.isOpen) return;
      const { epoch } = state.settings.membership;
      const message: Propose = { type: "propose", epoch, height, view, headerBytes, certifiedProof, batch, signature };
      state.sent.propose = message;
      this.#accept(message, proposal);
      state.broadcast(message);
      this.#checkPrepared();
    });
  }

  onPropose(from: NodeId, message: Propose): void {
    const state = this.#state;
    if (from !== state.leader || state.leads) return;
    const proposal = this.read(message);
    if (proposal === undefined) return;
    const { digest } = proposal;
    const { signature, view } = message;
    const known = state.accepted === undefined ? state.candidate : { ...state.accepted, digest: state.accepted.proposal.digest };
    if (known !== undefined) {
      if (known.digest !== digest) this.#compare({ node: from, type: VOTE_TYPE.pbftPropose, view }, known, { digest, signature });
      return;
    }
    if (!this.#isAcceptable(proposal)) return;
    state.candidate = { digest, view, signature };
    const drop = (): void => {
      if (state.candidate?.digest === digest) state.candidate = undefined;
    };
    const begun = state.verifyVote({ node: from, view, digest, signature }, VOTE_TYPE.pbftPropose, (genuine) => {
      if (!genuine || state.view !== view) return drop();
      const check = state.demand?.digest === undefined ? "first-proposal" : "re-proposal";
      return state.validate(proposal, check, (valid) => {
        if (!valid || state.view !== view || !state.isOpen) return drop();
        this.#accept(message, proposal);
        this.#prepare(digest);
        this.#checkPrepared();
        return this.#checkDecided(view);
      });
    });
    if (!begun) drop();
  }

  onVote(from: NodeId, message: Vote): void {
    const state = this.#state;
    const type = message.type === "prepare" ? VOTE_TYPE.pbftPrepare : VOTE_TYPE.pbftCommit;
    if (findMember(state.settings.membership, from) === undefined || from === state.settings.self) return;
    const { digest, signature, view } = message;
    const verdict = state.settings.rules.verifiesVotes ? "unknown" : "good";
    const conflicting = state.ballot(type, view).add({ node: from, digest, signature, verdict });
    if (conflicting !== undefined) this.#compare({ node: from, type, view }, conflicting, { digest, signature });
    else if (type === VOTE_TYPE.pbftCommit) this.#checkDecided(view);
    else if (view === state.view) this.#checkPrepared();
  }

  /** A decided block: proved by its certificate, whoever sent it. */
  onBlock(message: DecidedBlockMessage): void {
    const state = this.#state;
    const { certificate } = message;
    const proposal = this.read({ ...message, certifiedProof: new Uint8Array(0) });
    if (proposal === undefined || certificate.digest !== proposal.digest || proposal.header.height !== certificate.height) return;
    if (!checkCommitCertificate(certificate, state.settings)) return;
    const claims = commitCertificateClaims(certificate, state.settings);
    if (certificate.height === state.tip.height && certificate.digest !== state.tip.digest) {
      state.verify(claims, (valid) => valid && state.emit({ type: "halt", reason: "two certificates decide one height differently" }));
      return;
    }
    if (certificate.height !== state.height || proposal.header.parent !== state.tip.digest || this.#checkingBlock) return;
    this.#checkingBlock = state.verify(claims, (genuine) => {
      this.#checkingBlock = false;
      if (!genuine) return;
      state.validate(proposal, "decided", (valid) => valid && this.#decide(proposal, certificate));
    });
  }

  /** Header and digest of a body that was received; undefined when the header is not canonical. */
  read(body: Pick<Propose, "headerBytes" | "certifiedProof" | "batch">): Proposal | undefined {
    const { headerBytes, certifiedProof, batch } = body;
    try {
      const header = parseHeader(headerBytes);
      return { header, headerBytes, certifiedProof, batch, digest: headerDigest(this.#state.settings.hasher, headerBytes) };
    } catch {
      // Hostile bytes: a proposal that does not read is no proposal.
      return undefined;
    }
  }

  /** Votes again for what was accepted before a restart; the guard gives the same bytes. */
  resume(): void {
    const { accepted, prepared, view, leads } = this.#state;
    if (accepted === undefined) return;
    const { digest } = accepted.proposal;
    if (leads) this.propose(accepted.proposal);
    else this.#prepare(digest);
    if (prepared?.view === view) this.#commit(digest);
  }

  /** What was remembered of the height that was just decided goes. */
  onHeight(): void {
    this.#checkingBlock = false;
    this.#blamed.clear();
  }

  /** Rule P1, as far as bytes tell. */
  #isAcceptable({ header, digest }: Proposal): boolean {
    const { settings, height, view, tip, demand, leader } = this.#state;
    const inPlace =
      header.cluster === settings.cluster && header.epoch === settings.membership.epoch && header.protocol === settings.protocol;
    if (!inPlace || header.height !== height || header.parent !== tip.digest || header.timeUs <= tip.timeUs) return false;
    const ahead = height - header.certified.height;
    if (ahead < 1 || ahead > LIMITS.uncertifiedHeightsMax) return false;
    if (demand?.digest !== undefined) return digest === demand.digest;
    return header.originView === view && header.proposer === leader;
  }

  #accept(message: Propose, proposal: Proposal): void {
    const state = this.#state;
    const { height, view } = message;
    state.candidate = undefined;
    state.accepted = { proposal, view, signature: message.signature };
    state.bodies.set(proposal.digest, proposal);
    state.append(proposalKey({ height, digest: proposal.digest }), encodePbftMessage(message));
  }

  #prepare(digest: Hash): void {
    const state = this.#state;
    this.#signVote({ type: VOTE_TYPE.pbftPrepare, digest }, (signature) => {
      state.sent.prepare = this.#vote("prepare", digest, signature);
      state.broadcast(state.sent.prepare);
      state.ballot(VOTE_TYPE.pbftPrepare, state.view).add({ node: state.settings.self, digest, signature, verdict: "good" });
      this.#checkPrepared();
    });
  }

  /** Rule P3. */
  #checkPrepared(): void {
    const state = this.#state;
    const { accepted, view, settings, leader } = state;
    if (accepted === undefined || accepted.view !== view || !state.isOpen || state.prepared?.view === view) return;
    const { digest } = accepted.proposal;
    const ballot = state.ballot(VOTE_TYPE.pbftPrepare, view);
    const counted = settings.rules.matchesDigest ? digest : undefined;
    const quorum = ballot.quorum(counted, leader);
    if (quorum === undefined) return this.#verifyVotes(VOTE_TYPE.pbftPrepare, view, ballot.toVerify(counted, leader));
    const votes = minimalVotes(
      settings.membership,
      quorum.map(({ node, signature }) => ({ node, signature })),
      {
        counted: leader,
        isQuorum: (nodes) => state.isQuorum(weightOf(settings.membership, nodes)),
      },
    );
    const { epoch } = settings.membership;
    const { height } = state;
    state.prepared = { epoch, height, view, digest, proposalSignature: accepted.signature, votes };
    state.append(preparedKey(height), encodePrepared(state.prepared));
    this.#commit(digest);
  }

  #commit(digest: Hash): void {
    const state = this.#state;
    const { view } = state;
    this.#signVote({ type: VOTE_TYPE.pbftCommit, digest }, (signature) => {
      state.sent.commit = this.#vote("commit", digest, signature);
      state.broadcast(state.sent.commit);
      state.ballot(VOTE_TYPE.pbftCommit, view).add({ node: state.settings.self, digest, signature, verdict: "good" });
      this.#checkDecided(view);
    });
  }

  /** Rule P4. */
  #checkDecided(view: number): void {
    const state = this.#state;
    const { settings, height } = state;
    const ballot = state.ballot(VOTE_TYPE.pbftCommit, view);
    for (const digest of ballot.digests()) {
      const quorum = ballot.quorum(digest);
      if (quorum === undefined) {
        this.#verifyVotes(VOTE_TYPE.pbftCommit, view, ballot.toVerify(digest));
        continue;
      }
      const isQuorum = (nodes: readonly NodeId[]): boolean => state.isQuorum(weightOf(settings.membership, nodes));
      const votes = minimalVotes(
        settings.membership,
        quorum.map(({ node, signature }) => ({ node, signature })),
        { isQuorum },
      );
      const certificate = { epoch: settings.membership.epoch, height, view, digest, votes };
      const proposal = state.bodies.get(digest);
      if (proposal !== undefined) return this.#decide(proposal, certificate);
      return this.#askForBlock(votes.map(({ node }) => node));
    }
  }

  /** Decided, but the proposal never came or was not valid here: whoever decided has the block. */
  #askForBlock(voters: readonly NodeId[]): void {
    const { height, settings } = this.#state;
    // A proposal that is still being checked will decide the height by itself.
    if (this.#askedForBlock === height || this.#state.candidate !== undefined) return;
    this.#askedForBlock = height;
    this.#state.emit({ type: "request-sync", fromHeight: height, peers: voters.filter((node) => node !== settings.self) });
  }

  #decide(proposal: Proposal, certificate: CommitCertificate): void {
    const state = this.#state;
    if (certificate.height !== state.height) return;
    state.emit({ type: "decide", proposal, certificate });
    const { height, view } = certificate;
    state.moveTo({ height, digest: proposal.digest, timeUs: proposal.header.timeUs, view, certificate });
    this.#onDecided(certificate);
  }

  #verifyVotes(type: VoteType, view: number, votes: readonly BallotVote[]): void {
    const state = this.#state;
    for (const vote of votes) {
      vote.verdict = "checking";
      const begun = state.verifyVote({ ...vote, view }, type, (valid) => {
        if (valid) vote.verdict = "good";
        else state.ballot(type, view).drop(vote.node);
        if (type === VOTE_TYPE.pbftCommit) this.#checkDecided(view);
        else this.#checkPrepared();
      });
      if (!begun) vote.verdict = "unknown";
    }
  }

  /** Two statements of one member in one slot: evidence once both signatures are genuine, and not before. */
  #compare(
    about: { readonly node: NodeId; readonly type: VoteType; readonly view: number },
    first: { readonly digest: Hash; readonly signature: Uint8Array },
    second: { readonly digest: Hash; readonly signature: Uint8Array },
  ): void {
    const state = this.#state;
    const { node, type, view } = about;
    const slot = { epoch: state.settings.membership.epoch, height: state.height, view };
    const blame = `${node}/${type}/${view}`;
    if (this.#blamed.has(blame)) return;
    const isProposal = type === VOTE_TYPE.pbftPropose;
    const signed = ({ digest, signature }: typeof first) => ({
      body: voteBodyOf(state.settings.cluster, { ...slot, digest }, type),
      purpose: isProposal ? ("proposal" as const) : ("vote" as const),
      signature,
    });
    state.verifyVote({ ...first, node, view }, type, (firstValid) => {
      if (!firstValid) return;
      state.verifyVote({ ...second, node, view }, type, (secondValid) => {
        if (!secondValid || this.#blamed.has(blame)) return;
        this.#blamed.add(blame);
        const kind = isProposal ? "double-proposal" : "double-vote";
        state.emit({ type: "evidence", evidence: { kind, offender: node, first: signed(first), second: signed(second) } });
      });
    });
  }

  #signVote(vote: { readonly type: VoteType; readonly digest: Hash }, then: (signature: Uint8Array) => void): void {
    const state = this.#state;
    const { view, height, settings } = state;
    const slot = { epoch: settings.membership.epoch, height, view, digest: vote.digest };
    const purpose = vote.type === VOTE_TYPE.pbftPropose ? "proposal" : "vote";
    const body = encodeVoteBody(voteBodyOf(settings.cluster, slot, vote.type));
    state.sign({ purpose, view, phase: vote.type, digest: vote.digest }, body, (signature) => {
      // Signed late, after a view change began: the guard knows it, but it is not sent any more.
      if (state.view === view && state.isOpen) then(signature);
    });
  }

  #vote(type: "prepare" | "commit", digest: Hash, signature: Uint8Array): Vote {
    const { settings, height, view } = this.#state;
    return { type, epoch: settings.membership.epoch, height, view, digest, signature };
  }
}
