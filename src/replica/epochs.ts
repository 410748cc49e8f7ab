import { findMember, type Member, type NodeId } from "#base";
import type { Parts } from "./assembly.ts";
import type { Participation } from "./participation/participation.ts";
import type { Proposer } from "./proposing/proposer.ts";
import type { ReplicaOptions } from "./types.ts";

/**
 * Follows the members that the ledger names (docs/protocols/membership.md): tells the core where its epoch ends, puts the next epoch's core in
 * its place once the last height is applied and durable, and keeps links to those who belong here, and to nobody else.
 */
export class Epochs {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #participation: Participation;
  readonly #proposer: Proposer;
  #announced = 0;
  #linked = "";
  #settled = -1;
  /** What the links were made from last. */
  #sources: readonly unknown[] = [];

  constructor(options: ReplicaOptions, parts: Parts, handlers: { readonly participation: Participation; readonly proposer: Proposer }) {
    this.#options = options;
    this.#parts = parts;
    this.#participation = handlers.participation;
    this.#proposer = handlers.proposer;
  }

  /** Takes up what the ledger says at the start, and again when a core of the same epoch was put in the place of one that knew the end of it. */
  begin(): void {
    this.#announced = 0;
    this.#announceEnd();
    this.#relink();
  }

  /**
   * A block is applied. The core hears of its epoch's end at once: until the block is durable more heights may be decided, and then what lies above the
   * end would come within its reach (M2).
   */
  onDecided(): void {
    this.#announceEnd();
  }

  /** A block is applied and durable; later ones may be applied already. */
  onApplied(height: number): void {
    const { ledger, driver } = this.#parts;
    const isOver = ledger.membership.epoch !== driver.snapshot().epoch;
    if (isOver && height >= ledger.state.epochFirstHeight() - 1) this.#enter();
    this.#relink();
  }

  /** A height is certified: those who left with the last epoch are needed no more, nor are its keys. */
  onCertified(): void {
    this.#relink();
    const { ledger, certifier } = this.#parts;
    const { epoch } = ledger.membership;
    const self = findMember(ledger.membership, this.#options.self);
    if (epoch === this.#settled || certifier.certifiedHeight < ledger.state.epochFirstHeight()) return;
    this.#settled = epoch;
    if (self !== undefined) this.#options.events?.onEpochSettled?.(self);
  }

  #announceEnd(): void {
    const change = this.#parts.ledger.state.pendingChange();
    if (change === undefined || change.lastHeight === this.#announced) return;
    this.#announced = change.lastHeight;
    this.#parts.driver.step({ type: "last-height", height: change.lastHeight, next: change.next });
    this.#proposer.onWork();
  }

  #enter(): void {
    const { ledger, driver, newCore } = this.#parts;
    const { epoch } = ledger.membership;
    this.#options.telemetry.log("info", "epoch", { epoch, firstHeight: ledger.tip.height + 1 });
    driver.replace(newCore());
    if (this.#participation.isParticipating)
      driver.step({ type: "participate", above: Math.max(this.#participation.above ?? 0, ledger.tip.height) });
    this.#proposer.tellAgain();
  }

  #relink(): void {
    const { ledger, peers } = this.#parts;
    if (!this.#hasChanged()) return;
    const linked = this.#belonging();
    const key = linked.map(({ id, keys, peerAddress }) => `${id} ${keys.tls} ${peerAddress}`).join();
    if (key === this.#linked) return;
    this.#linked = key;
    peers.setOthers(linked.map(({ id }) => id).filter((id) => id !== this.#options.self));
    // A node that left is cut off by the others, each once it needs it no more: whoever lacks the last height's certificate gets it from those who left.
    this.#options.transport.setPeers(linked);
    if (findMember(ledger.membership, this.#options.self) === undefined) this.#options.telemetry.log("info", "no member in this epoch", {});
  }

  /** Asked after every block: members and learners are the same objects until a command changes them. */
  #hasChanged(): boolean {
    const { state, membership } = this.#parts.ledger;
    const sources = [membership, state.pendingChange()?.next, this.#isLeaving(), this.#usesContacts(), ...state.learners()];
    const before = this.#sources;
    this.#sources = sources;
    return sources.length !== before.length || sources.some((source, index) => source !== before[index]);
  }

  /** A node that takes no part may have to be told of everything by members that it does not know. */
  #usesContacts(): boolean {
    const { membership } = this.#parts.ledger;
    return !this.#participation.isParticipating || findMember(membership, this.#options.self) === undefined;
  }

  /** The last epoch's end is not certified yet. */
  #isLeaving(): boolean {
    const { certifier, ledger } = this.#parts;
    return certifier.certifiedHeight < ledger.state.epochFirstHeight() - 1;
  }

  /** Members, those to come, learners, and those who left until the end of their epoch is certified (docs/protocols/membership.md, M6). */
  #belonging(): readonly Member[] {
    const { ledger } = this.#parts;
    const { state } = ledger;
    const leaving = this.#isLeaving() ? state.membershipAt(state.epochFirstHeight() - 1).members : [];
    const contacts = this.#usesContacts() ? (this.#options.contacts ?? []) : [];
    const everybody = [
      ...leaving,
      ...state.learners(),
      ...(state.pendingChange()?.next.members ?? []),
      ...ledger.membership.members,
      ...contacts,
    ];
    return byId(everybody);
  }
}

/** In ascending id; of two with one id the later. */
function byId(members: readonly Member[]): readonly Member[] {
  const last = new Map<NodeId, Member>(members.map((member) => [member.id, member]));
  return [...last.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
