import type { CommitCertificate, Proposal } from "./block.ts";
import { checkCommitCertificate, commitCertificateClaims, doubleVotes } from "./certificates.ts";
import type { DecidedBlockMessage } from "./messages.ts";
import { readProposal } from "./proposing.ts";
import type { VotingState } from "./voting-state.ts";

const OTHER_CHAIN = "a quorum decided a block that does not follow what this node decided";

/** What follows from a decided block. */
export interface DecidedHooks {
  /** A height is decided, and the state stands at the next one. */
  onDecided(certificate: CommitCertificate): void;
}

/** How a height is closed in the engines with signed votes: by an own quorum, or by a block that a peer sends with its certificate. */
export class DecidedBlocks {
  readonly #state: VotingState;
  readonly #hooks: DecidedHooks;
  #checking = false;

  constructor(state: VotingState, hooks: DecidedHooks) {
    this.#state = state;
    this.#hooks = hooks;
  }

  /** A decided block: proved by its certificate, whoever sent it. */
  onBlock(message: DecidedBlockMessage): void {
    const state = this.#state;
    const { certificate } = message;
    const proposal = readProposal(state.settings.hasher, { ...message, certifiedProof: new Uint8Array(0) });
    if (proposal === undefined || certificate.digest !== proposal.digest || proposal.header.height !== certificate.height) return;
    if (state.settings.rules.checksCertificates && !checkCommitCertificate(certificate, state.settings)) return;
    const claims = commitCertificateClaims(certificate, state.settings);
    if (certificate.height === state.tip.height && certificate.digest !== state.tip.digest) {
      state.verify(claims, (genuine) => genuine && this.#onConflict(certificate));
      return;
    }
    if (certificate.height !== state.height || this.#checking) return;
    if (proposal.header.parent !== state.tip.digest) return this.#onOtherChain(certificate);
    this.#checking = state.verify(claims, (genuine) => {
      this.#checking = false;
      if (genuine) state.validate(proposal, "decided", (valid) => valid && this.decide(proposal, certificate));
    });
  }

  /** Decides the lowest undecided height. */
  decide(proposal: Proposal, certificate: CommitCertificate): void {
    const state = this.#state;
    if (certificate.height !== state.height) return;
    if (proposal.header.parent !== state.tip.digest) return state.emit({ type: "halt", reason: OTHER_CHAIN });
    state.emit({ type: "decide", proposal, certificate });
    const { height, view } = certificate;
    state.moveTo({ height, digest: proposal.digest, timeUs: proposal.header.timeUs, view, certificate });
    this.#checking = false;
    this.#hooks.onDecided(certificate);
  }

  /** A block of the next height that follows another one than the tip: proved, it says that the tip's height or a lower one was decided twice. */
  #onOtherChain(certificate: CommitCertificate): void {
    const state = this.#state;
    if (!checkCommitCertificate(certificate, state.settings)) return;
    this.#checking = state.verify(commitCertificateClaims(certificate, state.settings), (genuine) => {
      this.#checking = false;
      if (genuine) state.emit({ type: "halt", reason: OTHER_CHAIN });
    });
  }

  /** A genuine certificate decides the tip's height otherwise: more lie than the cluster tolerates, and some of them can be named. */
  #onConflict(second: CommitCertificate): void {
    const { tip, settings } = this.#state;
    const named = tip.certificate === undefined ? [] : doubleVotes(tip.certificate, second, settings);
    for (const evidence of named) this.#state.emit({ type: "evidence", evidence });
    this.#state.emit({ type: "halt", reason: "two certificates decide one height differently" });
  }
}
