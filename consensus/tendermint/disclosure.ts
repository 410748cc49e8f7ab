import { type NodeId, ZERO_HASH } from "#base";
import type { CommitCertificate, Proposal } from "../block.ts";
import { checkCommitCertificate, commitCertificateClaims } from "../certificates.ts";
import type { RoundCertificate, TendermintMessage } from "./messages.ts";
import type { TendermintState } from "./state.ts";

/** How often a member is shown one decision: a link may lose it, and who missed it says its vote again. */
const TELLS_MAX = 4;

/**
 * What this node shows unasked (T19): whoever lets some of the others alone see its votes would otherwise make them lock or decide what the rest
 * learns of by its timers. Where everybody prevoted for the value nothing can be hidden, so nothing is shown.
 */
export class Disclosure {
  readonly #state: TendermintState;
  readonly #onDecided: (proposal: Proposal, certificate: CommitCertificate) => void;
  /** Verified, for the present height, by who showed it; the value is still missing. */
  #shown: { readonly certificate: CommitCertificate; readonly from: NodeId } | undefined;
  #checking = "";
  /** How often each member was shown what decided the newest height. */
  #told = { height: 0, times: new Map<NodeId, number>() };
  /** Who was asked for the block of which height. */
  readonly #asked = new Map<NodeId, number>();

  constructor(state: TendermintState, onDecided: (proposal: Proposal, certificate: CommitCertificate) => void) {
    this.#state = state;
    this.#onDecided = onDecided;
  }

  /** Shows the polka of the present round once, when somebody is seen to have prevoted otherwise. */
  showPolka(): void {
    const state = this.#state;
    const round = state.current();
    const { polka, prevotes } = round;
    if (polka === undefined || round.isPolkaShown || !state.settings.rules.sharesPolkas) return;
    if (prevotes.unanimous(prevotes.voters()) === polka.digest) return;
    round.isPolkaShown = true;
    state.broadcast(polka);
  }

  /** What the next proposer has to be shown of a decision; it would keep everybody waiting if it missed it. */
  ofDecision({ view, digest, height }: CommitCertificate): () => void {
    const state = this.#state;
    const { membership, rules, self } = state.settings;
    const prevotes = state.known(view)?.prevotes;
    const next = rules.proposerOf(membership, height + 1, 0);
    if (next === self || prevotes?.unanimous(membership.members.map(({ id }) => id)) === digest) return () => undefined;
    return () => this.showDecision(next);
  }

  /** Shows what decided the newest height. */
  showDecision(to: NodeId): void {
    const state = this.#state;
    const { certificate } = state.tip;
    if (certificate === undefined || certificate.epoch !== state.epoch || to === state.settings.self) return;
    if (!this.#mayTell(to, certificate.height)) return;
    const { epoch, height, view: round, digest, votes } = certificate;
    const shown = votes.map((vote) => ({ ...vote, round, step: "precommit" as const, digest, validRound: -1 }));
    state.emit({ type: "send", to, message: { type: "round-certificate", epoch, height, view: round + 1, votes: shown } });
  }

  /** A vote of some bytes gets the signatures of a quorum: whoever votes again and again, signed or not, is shown them a few times. */
  #mayTell(to: NodeId, height: number): boolean {
    if (this.#told.height !== height) this.#told = { height, times: new Map() };
    const times = this.#told.times.get(to) ?? 0;
    this.#told.times.set(to, times + 1);
    return times < TELLS_MAX;
  }

  /** Precommits of a quorum that somebody else saw decide (T8). */
  onDecision(from: NodeId, certificate: CommitCertificate): void {
    const state = this.#state;
    const { settings } = state;
    if (this.#checking === key(from, certificate.height) || this.#shown?.certificate.height === certificate.height) return;
    if (settings.rules.checksCertificates && !checkCommitCertificate(certificate, settings)) return;
    const begun = state.verify(commitCertificateClaims(certificate, settings), (genuine) => {
      this.#checking = "";
      if (!genuine) return;
      this.#shown = { certificate, from };
      this.decide();
    });
    if (begun) this.#checking = key(from, certificate.height);
  }

  /** Decides what was shown once its value is here; a value that is nowhere on its way is asked for. */
  decide(): void {
    const state = this.#state;
    const shown = this.#shown;
    if (shown === undefined || shown.certificate.height !== state.height) return;
    const { certificate, from } = shown;
    const proposal = state.bodies.get(certificate.digest);
    if (proposal !== undefined) return this.#onDecided(proposal, certificate);
    const received = state.known(certificate.view)?.proposal;
    const isOnItsWay = received?.verdict === "checking" && received.proposal.digest === certificate.digest;
    if (!isOnItsWay) this.#askForBlock(from);
  }

  /**
   * Somebody speaks of the next height: has it decided what this node cannot decide from what it sees? What this node itself has not said yet hides
   * nothing from it.
   */
  onNextHeight(from: NodeId): void {
    const state = this.#state;
    const { prevotes } = state.current();
    const { membership, self } = state.settings;
    const others = membership.members.map(({ id }) => id).filter((id) => id !== self || prevotes.of(id) !== undefined);
    const digest = prevotes.unanimous(others);
    if (digest === undefined || digest === ZERO_HASH) this.#askForBlock(from);
  }

  /** Of as many as are asked one is honest. */
  #askForBlock(peer: NodeId): void {
    const state = this.#state;
    const { height } = state;
    const asked = [...this.#asked.values()].filter((at) => at === height).length;
    if (this.#asked.get(peer) === height || asked > state.liarsMax) return;
    this.#asked.set(peer, height);
    state.emit({ type: "send", to: peer, message: { type: "fetch-proposal", height, digest: ZERO_HASH } });
  }
}

/** The certificate that the proof of a round is when its votes decide; undefined when they do not. */
export function decisionOf({ epoch, height, view, votes }: RoundCertificate): CommitCertificate | undefined {
  const [first] = votes;
  if (first === undefined || first.digest === ZERO_HASH) return undefined;
  const decides = votes.every(({ round, step, digest }) => step === "precommit" && round === view - 1 && digest === first.digest);
  if (!decides) return undefined;
  return { epoch, height, view: view - 1, digest: first.digest, votes: votes.map(({ node, signature }) => ({ node, signature })) };
}

/** True when who says it of the height that this node decided last shows that it has missed the decision. */
export function missesDecision(state: TendermintState, message: TendermintMessage): boolean {
  if (message.height !== state.tip.height || (message.type !== "prevote" && message.type !== "precommit")) return false;
  return message.digest !== state.tip.digest;
}

function key(from: NodeId, height: number): string {
  return `${from}/${height}`;
}
