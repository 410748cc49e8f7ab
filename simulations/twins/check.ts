import { type EngineName, type Hash, invariant, type NodeId, tolerableWeight, totalWeight, weightOf } from "#base";
import { type ConsensusMessage, checkCommitCertificate, commitCertificateClaims, type Effect, evidenceClaims } from "#consensus";
import type { Violation } from "../checkers/invariants.ts";
import type { KeyMill } from "../keys.ts";
import type { Copy } from "./copy.ts";
import { inquest } from "./inquest.ts";
import type { TwinsWorld, WorldWatcher } from "./world.ts";

/** What signatures are checked with. */
export interface CheckContext {
  readonly engine: EngineName;
  readonly cluster: Hash;
  readonly keys: KeyMill;
}

/** Watches the copies of one scenario. Nothing is expected of twins: they are the fault. */
export class TwinsChecker implements WorldWatcher {
  readonly violations: Violation[] = [];
  /** Whom an inquest into a disagreement named, by the name of the node, and for what. */
  readonly named: Map<string, string> = new Map();
  readonly #context: CheckContext;
  readonly #decided = new Map<number, Hash>();
  /** Heights that honest copies decided differently. */
  readonly #forks = new Set<number>();
  readonly #halts: string[] = [];
  /** What honest copies heard, for the inquest; each object once, with its sender. */
  readonly #heard = new Map<ConsensusMessage, NodeId>();
  #world: TwinsWorld | undefined;

  constructor(context: CheckContext) {
    this.#context = context;
  }

  /** The world that is watched; before anything happens in it. */
  watch(world: TwinsWorld): void {
    this.#world = world;
  }

  get #watched(): TwinsWorld {
    invariant(this.#world !== undefined, "a world is watched before anything happens in it");
    return this.#world;
  }

  get disagreements(): number {
    return this.#forks.size;
  }

  /** Whether the twins are so few that the engine has to tolerate them: less than a third of the weight, in Raft none. */
  get mustBear(): boolean {
    const { membership, honest } = this.#watched;
    const ids = new Set(honest.map(({ id }) => id));
    const twins = membership.members.filter(({ id }) => !ids.has(id)).map(({ id }) => id);
    if (this.#context.engine === "raft") return twins.length === 0;
    return weightOf(membership, twins) <= tolerableWeight(totalWeight(membership));
  }

  onHeard(from: NodeId, to: Copy, message: ConsensusMessage): void {
    if (to.isHonest) this.#heard.set(message, from);
  }

  /** A1 and A3. */
  onDecide(copy: Copy, { proposal, certificate }: Extract<Effect, { type: "decide" }>): void {
    if (!copy.isHonest) return;
    const { height, digest } = certificate;
    const known = this.#decided.get(height) ?? digest;
    this.#decided.set(height, known);
    if (known !== digest) this.#forks.add(height);
    const context = { ...this.#context, membership: this.#watched.membership };
    const claims = commitCertificateClaims(certificate, context);
    if (digest !== proposal.digest || !checkCommitCertificate(certificate, context) || !this.#verifies(claims))
      this.#fail("A3", `${copy.name} decides ${height} without a certificate that proves it`);
  }

  /** A8: genuine, and against nobody honest. */
  onEvidence(copy: Copy, { evidence }: Extract<Effect, { type: "evidence" }>): void {
    if (!copy.isHonest) return;
    const claims = evidenceClaims(evidence, { cluster: this.#context.cluster, membership: this.#watched.membership });
    if (claims === undefined || !this.#verifies(claims)) this.#fail("A8", `${copy.name} has evidence that nobody can check`);
    this.#blame(evidence.offender, evidence.kind);
  }

  onHalt(copy: Copy, reason: string): void {
    if (copy.isHonest) this.#halts.push(`${copy.name}: ${reason}`);
  }

  /** What the end shows. Raft has to tolerate no liar and breaks; of the others a disagreement is a failure only while the twins are few. */
  finish(healed: boolean): void {
    const { engine } = this.#context;
    if (engine === "raft" || this.mustBear) {
      for (const height of [...this.#forks].sort((a, b) => a - b)) this.#fail("A1", `honest nodes decide ${height} differently`);
      const [halt] = this.#halts;
      if (halt !== undefined) this.#fail("S1", halt);
    }
    if (this.mustBear && !healed) this.#fail("A7", `after the heal not every honest node decides: ${heightsOf(this.#watched)}`);
    if (engine === "tendermint") for (const height of this.#forks) this.#demandNames(height);
  }

  /** Accountability: of a disagreement the votes that honest nodes heard name at least a third of the weight, and nobody honest. */
  #demandNames(height: number): void {
    const { membership } = this.#watched;
    const named = inquest({ ...this.#context, membership, height, heard: this.#heard });
    for (const [offender, kind] of named) {
      const { name } = this.#watched.copies.find(({ id }) => id === offender) ?? { name: offender };
      this.named.set(name, kind);
      this.#blame(offender, kind);
    }
    if (3 * weightOf(membership, named.keys()) < totalWeight(membership))
      this.#fail("A8", `the disagreement at ${height} names only ${[...named.keys()].join(", ") || "nobody"}`);
  }

  #blame(offender: NodeId, kind: string): void {
    const { honest, liars } = this.#watched;
    if (!liars.has(offender) && honest.some(({ id }) => id === offender)) this.#fail("A8", `${kind} blames ${offender}, who is honest`);
  }

  #verifies(claims: Parameters<KeyMill["verifier"]["verify"]>[0]): boolean {
    let valid = false;
    this.#context.keys.verifier.verify(claims, (verdicts) => {
      valid = verdicts.every(Boolean);
    });
    return valid;
  }

  #fail(invariant: Violation["invariant"], detail: string): void {
    if (!this.violations.some((known) => known.invariant === invariant)) this.violations.push({ invariant, detail });
  }
}

function heightsOf(world: TwinsWorld): string {
  return world.honest.map(({ name, tip }) => `${name} stands at ${tip.height}`).join(", ");
}
