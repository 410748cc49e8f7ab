import { encodeUtf8, type NodeId } from "#base";
import { encodeCommitCertificate, phaseOf, votePurpose } from "#consensus";
import type { Parts } from "../assembly.ts";
import { ownFault } from "../core-driver.ts";
import { STORE_KEYS } from "../keys.ts";
import type { ProbeReplyFrame } from "../peers/frames.ts";
import { type ReplicaRules, replicaRules } from "../rules.ts";
import type { ReplicaOptions } from "../types.ts";
import { answerProbe, Probe, type ProbeVerdict } from "./rejoin.ts";
import { forgetRecords } from "./startup.ts";

/** What taking part tells the replica. */
export interface ParticipationHooks {
  /** This node votes from now on, at heights strictly above the floor. */
  onParticipating(above: number): void;
  halt(reason: string): void;
}

/** Whether this node may vote: what the others know of its past, and the floor that follows from it (rules G3 and G4). */
export class Participation {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #hooks: ParticipationHooks;
  readonly #rules: ReplicaRules;
  #probe: Probe | undefined;
  /** Takes part above this height only; undefined before the verdict of the probe. */
  #above: number | undefined;
  #participating = false;
  #stopped = false;

  constructor(options: ReplicaOptions, parts: Parts, hooks: ParticipationHooks) {
    this.#options = options;
    this.#parts = parts;
    this.#hooks = hooks;
    this.#rules = options.rules?.replica ?? replicaRules;
  }

  get isParticipating(): boolean {
    return this.#participating;
  }

  /** Whether its word counts with the core too. */
  get votes(): boolean {
    return this.#participating && this.#parts.driver.snapshot().participates;
  }

  /** Who votes as far as this node knows: those that are linked and say so, and itself. */
  get voters(): readonly NodeId[] {
    const linked = this.#parts.peers.voting();
    return this.votes ? [this.#options.self, ...linked] : linked;
  }

  /** The floor; undefined before the verdict. */
  get above(): number | undefined {
    return this.#above;
  }

  /** The height that has to be certified before this node takes part; 0 when it waits for none. */
  get awaitedHeight(): number {
    return this.#participating ? 0 : (this.#above ?? 0);
  }

  /** Members whose answer to the probe is awaited; undefined when no probe is under way. */
  get waitingFor(): readonly NodeId[] | undefined {
    return this.#probe?.waitingFor;
  }

  /** Whether this node stands behind its log at the height with its cosignature. */
  mayCosign(height: number): boolean {
    return this.#participating && this.#above !== undefined && height > this.#above;
  }

  /** Asks the others about this node's past. */
  begin(): void {
    const { ledger, remembered, guardCurrent } = this.#parts;
    const { self, entropy, verifier } = this.#options;
    const tipAtStart = ledger.tip.height;
    this.#probe = new Probe({
      cluster: ledger.cluster,
      self,
      engine: ledger.genesis.engine,
      membership: () => ledger.membership,
      membershipAt: (height) => ledger.state.membershipAt(Math.max(1, height)),
      window: ledger.genesis.window,
      floorAbove: this.#rules.floorAbove,
      entropy,
      verifier,
      guardCurrent,
      isRemembered: (vote) =>
        vote.height <= tipAtStart || remembered.remembers({ ...vote, purpose: votePurpose(vote.type), phase: phaseOf(vote.type) }),
      onVerdict: (verdict) => this.#onVerdict(verdict),
    });
    this.#probe.begin();
    this.repeat();
  }

  /** Asks everybody again, while an answer is missing. */
  repeat(): void {
    if (this.#probe !== undefined) this.#parts.peers.broadcast({ kind: "probe", nonce: this.#probe.nonce });
  }

  /** Asks a peer that was not there before. */
  ask(peer: NodeId): void {
    if (this.#probe !== undefined) this.#parts.peers.send(peer, { kind: "probe", nonce: this.#probe.nonce });
  }

  onReply(from: NodeId, reply: ProbeReplyFrame): void {
    this.#probe?.onReply(from, reply);
  }

  /** Tells a peer that asks what this node knows of its past. */
  answer(from: NodeId, nonce: Uint8Array): void {
    const { tip, cluster, membership } = this.#parts.ledger;
    const seen = this.#parts.peers.lastVote(from);
    const certificate = tip.certificate === undefined ? new Uint8Array(0) : encodeCommitCertificate(tip.certificate);
    const reply: Omit<ProbeReplyFrame, "signature"> = {
      kind: "probe-reply",
      nonce,
      epoch: membership.epoch,
      height: tip.height,
      certificate,
      ...(seen === undefined ? {} : { seen }),
    };
    const { self, signer } = this.#options;
    answerProbe({ cluster, self, prober: from, signer, reply }, (signed) =>
      this.#parts.writeAhead.output(() => this.#parts.peers.send(from, signed)),
    );
  }

  /** Begins to take part, once the floor is known and certified. */
  proceed(): void {
    const above = this.#above;
    if (this.#stopped || this.#participating || above === undefined || this.#probe !== undefined) return;
    if (above > 0 && this.#parts.certifier.certifiedHeight < above) return;
    if (!this.#rules.takesPartBehind && this.#parts.catchUp.active) return;
    this.#participating = true;
    this.#options.telemetry.log("info", "participating", { above });
    this.#hooks.onParticipating(above);
  }

  /** Takes part no more. */
  stop(): void {
    this.#stopped = true;
    this.#participating = false;
  }

  #onVerdict(verdict: ProbeVerdict): void {
    this.#probe = undefined;
    if (verdict.kind === "current") {
      this.#above = this.#parts.storedFloor;
      return this.proceed();
    }
    this.#options.telemetry.log("warn", "vote guard not current", { participatesAbove: verdict.floor });
    return this.#adoptFloor(verdict.floor);
  }

  /** The floor is durable in the batch that makes the folder count as current again. */
  #adoptFloor(floor: number): void {
    forgetRecords(this.#options.store, (error, operations) => {
      if (error !== undefined || operations === undefined) return this.#hooks.halt(ownFault(error));
      const value = encodeUtf8(String(floor));
      return this.#parts.writeAhead.appendFloor([...operations, { key: STORE_KEYS.floor, value }], () => {
        this.#above = floor;
        this.proceed();
      });
    });
  }
}
