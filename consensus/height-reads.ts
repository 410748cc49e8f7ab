import { findMember, LIMITS, type NodeId } from "#base";
import { checkCommitCertificate, commitCertificateClaims } from "./certificates.ts";
import type { HeightReply, HeightRequest } from "./messages.ts";
import type { VotingState } from "./voting-state.ts";

/**
 * Linearizable reads in the engines with signed votes, without a log entry (docs/protocols/pbft.md, rules R1 to R3): members with a quorum's weight,
 * asked after the read came in, name how far their durable chains go, and the read happens at the highest height that is proved among them.
 */
export class HeightReads {
  readonly #state: VotingState;
  /** Reads that wait for the round under way. */
  #asking: number[] = [];
  /** Reads that came since: they need a round that begins after them. */
  #waiting: number[] = [];
  #round = 0;
  /** What members answered in this round, this node among them, as far as it is proved or needs no proof. */
  readonly #heights = new Map<NodeId, number>();

  constructor(state: VotingState) {
    this.#state = state;
  }

  /** The round under way, for the timer that asks again; empty without one. */
  get underway(): string {
    return this.#asking.length > 0 ? `${this.#round}` : "";
  }

  /** Somebody at this node wants to read. */
  onRead(id: number): void {
    const { settings, tip } = this.#state;
    if (!settings.rules.confirmsReads) return this.#state.emit({ type: "read-at", id, height: tip.height });
    if (this.#asking.length + this.#waiting.length >= LIMITS.readsMax) return this.#state.emit({ type: "read-at", id, height: undefined });
    this.#waiting.push(id);
    return this.#begin();
  }

  /** Who may have forgotten votes says nothing: it may have forgotten blocks too. Who left tells those who are behind that the epoch is over. */
  onRequest(from: NodeId, { incarnation, round }: HeightRequest): void {
    const { tip, remembers, epoch } = this.#state;
    if (!remembers) return;
    const message: HeightReply = {
      type: "height-reply",
      incarnation,
      epoch,
      round,
      ...(tip.certificate && { certificate: tip.certificate }),
    };
    this.#state.emit({ type: "send", to: from, message });
  }

  /**
   * A height up to the own tip needs no proof: it makes nothing later. A higher one counts once its certificate is checked. Who has gone on to a later
   * epoch counts for nothing in this one, whatever its height: members that are not asked may have decided in that.
   */
  onReply(from: NodeId, { incarnation, epoch, round, certificate }: HeightReply): void {
    const state = this.#state;
    const isAsked = this.#asking.length > 0 && incarnation === state.settings.seed && round === this.#round;
    if (!isAsked || this.#heights.has(from) || findMember(state.settings.membership, from) === undefined) return;
    // This node is behind, and asks again when it is not.
    if (epoch > state.epoch) return state.emit({ type: "request-sync", fromHeight: state.height, peers: [from] });
    const height = certificate?.height ?? 0;
    if (certificate === undefined || height <= state.tip.height) return this.#count(from, height);
    state.emit({ type: "request-sync", fromHeight: height, peers: [from] });
    if (!checkCommitCertificate(certificate, state.settings)) return undefined;
    state.verify(commitCertificateClaims(certificate, state.settings), (genuine) => {
      if (genuine && round === this.#round) this.#count(from, height);
    });
    return undefined;
  }

  /** Asks whoever has not answered. */
  ask(): void {
    const { settings } = this.#state;
    const message: HeightRequest = { type: "height-request", incarnation: settings.seed, round: this.#round };
    for (const { id } of settings.membership.members) {
      if (id !== settings.self && !this.#heights.has(id)) this.#state.emit({ type: "send", to: id, message });
    }
    if (this.#state.participates) this.#count(settings.self, this.#state.tip.height);
  }

  #begin(): void {
    if (this.#asking.length > 0 || this.#waiting.length === 0) return;
    this.#asking = this.#waiting;
    this.#waiting = [];
    this.#round += 1;
    this.#heights.clear();
    this.ask();
  }

  #count(node: NodeId, height: number): void {
    this.#heights.set(node, height);
    if (!this.#state.isQuorum(this.#heights.keys())) return;
    const highest = Math.max(...this.#heights.values());
    const answered = this.#asking;
    this.#asking = [];
    for (const id of answered) this.#state.emit({ type: "read-at", id, height: highest });
    this.#begin();
  }
}
