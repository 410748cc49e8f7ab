import { assembleCheckpoint, type Cosignature, cosignatureClaims, cosignatureMessages, cosignatureSeconds, type LogPoint } from "#audit";
import {
  type CertifiedPoint,
  type FaultModel,
  findMember,
  type Hasher,
  invariant,
  LIMITS,
  type Membership,
  type NodeId,
  type NodeSigner,
  type SignatureVerifier,
  totalWeight,
  weightOf,
} from "#base";
import { forgetUpTo } from "../by-height.ts";
import type { FalseRoots } from "../evidence/false-roots.ts";
import type { CosignatureFrame } from "../peers/frames.ts";
import type { ReplicaRules } from "../rules.ts";
import { decodeCosignatures, encodeCosignatures } from "./cosignatures.ts";

/** A height of the log that a quorum has cosigned. */
export interface Certified {
  readonly point: CertifiedPoint;
  /** The signed note. */
  readonly note: string;
  readonly shard: string;
  /** The quorum's cosignatures, as a proposal carries them. */
  readonly proof: Uint8Array;
}

/** What the certifier stands on. */
export interface CertifierOptions {
  readonly self: NodeId;
  /** Members of the epoch that a height belongs to. */
  readonly membershipAt: (height: number) => Membership;
  readonly trustDomain: string;
  readonly hasher: Hasher;
  readonly faultModel: FaultModel;
  readonly signer: NodeSigner;
  readonly verifier: SignatureVerifier;
  readonly rules: Pick<ReplicaRules, "certifies" | "verifiesCosignatures">;
  /** Told of every cosignature, to find who lies; absent in an engine that tolerates crashes only. */
  readonly falseRoots?: FalseRoots;
  onCertified(certified: Certified): void;
  /** A quorum stands behind another root than ours: this node must stop and never truncate. */
  onDiverged(height: number): void;
  /** The L and W keys that the epoch names for this node are not here: it cannot stand behind its log. */
  onKeysMissing(epoch: number): void;
}

interface Candidate {
  readonly cosignature: Cosignature;
  verdict: "unknown" | "checking" | "good";
}

/**
 * Collects cosignatures of the log's points until a quorum covers one. Lines are verified only up to the quorum, each before it
 * counts, and under the keys of its height's epoch (docs/protocols/membership.md, M5). The W time is the block's agreed time, so a cosignature made again after a crash has the same bytes.
 */
export class Certifier {
  readonly #options: CertifierOptions;
  readonly #points = new Map<number, LogPoint>();
  readonly #candidates = new Map<number, Map<NodeId, Candidate>>();
  #newestPoint = 0;
  #certified: Certified | undefined;
  /** Certified last heights of epochs that nobody took yet. */
  #ends: Certified[] = [];

  constructor(options: CertifierOptions) {
    this.#options = options;
  }

  /** The newest certified point, undefined before the first. */
  get certified(): Certified | undefined {
    return this.#certified;
  }

  get certifiedHeight(): number {
    return this.#certified?.point.height ?? 0;
  }

  /** The newest height that is applied and durable here; 0 before the first. */
  get newestHeight(): number {
    return this.#newestPoint;
  }

  /** The log's own point after a height, while it is kept. */
  point(height: number): LogPoint | undefined {
    return this.#points.get(height);
  }

  /** Puts back what was certified before a restart. */
  restore(certified: Certified): void {
    this.#certified = certified;
    this.#keepEnd(certified);
  }

  /** The last heights of epochs that were certified since it was asked last: higher ones may have been certified since. */
  takeEnds(): readonly Certified[] {
    const ends = this.#ends;
    this.#ends = [];
    return ends;
  }

  /** This node's log after a height. Cosigned only when this node takes part there. */
  addPoint(height: number, point: LogPoint): void {
    this.#points.set(height, point);
    forgetUpTo(this.#points, height - LIMITS.cosignaturesKept);
    this.#newestPoint = Math.max(this.#newestPoint, height);
    this.#check(height);
  }

  /** Signs the point with both keys; equal points give equal bytes. */
  cosign(height: number, done: (cosignature: Cosignature) => void): void {
    const point = this.#points.get(height);
    const { signer, self, membershipAt, onKeysMissing } = this.#options;
    const membership = membershipAt(height);
    const member = findMember(membership, self);
    if (point === undefined || member === undefined) return;
    const { log, witness } = member.keys;
    if (!signer.holds("log", log) || !signer.holds("witness", witness)) return onKeysMissing(membership.epoch);
    const seconds = cosignatureSeconds(point);
    const messages = cosignatureMessages(point);
    const signLog = (done: (signature: Uint8Array) => void): void => signer.sign("log", messages.log, done, log);
    const signWitness = (done: (signature: Uint8Array) => void): void => signer.sign("witness", messages.witness, done, witness);
    signLog((logSignature) =>
      signWitness((witnessSignature) => {
        const cosignature: Cosignature = { node: self, size: point.size, root: point.root, seconds, logSignature, witnessSignature };
        this.#add(height, { cosignature, verdict: "good" });
        done(cosignature);
      }),
    );
  }

  /** A peer's cosignature; heights far ahead are dropped, since the peer sends again. */
  receive(from: NodeId, frame: CosignatureFrame): void {
    const { height, size, root, seconds, logSignature, witnessSignature } = frame;
    const cosignature = { node: from, size, root, seconds, logSignature, witnessSignature };
    const { falseRoots } = this.#options;
    if (height <= this.certifiedHeight) return falseRoots?.onCosignature(height, cosignature);
    if (height > this.#newestPoint + LIMITS.uncertifiedHeightsMax) return;
    if (findMember(this.#options.membershipAt(height), from) === undefined) return;
    const known = this.#candidates.get(height)?.get(from);
    const point = this.#points.get(height);
    if (known !== undefined && point !== undefined) falseRoots?.onPair(height, { point, lines: [cosignature, known.cosignature] });
    if (known !== undefined && known.verdict !== "unknown") return;
    this.#add(height, { cosignature, verdict: "unknown" });
    this.#check(height);
  }

  /**
   * Checks what a proposal claims to be certified. Every node that may vote has executed that height, so its own point decides;
   * the signatures are looked at only when this node has not seen the quorum itself.
   */
  checkClaim(claim: CertifiedPoint, proof: Uint8Array, done: (valid: boolean) => void): void {
    if (claim.height === 0) return done(claim.size === 0 && proof.length === 0);
    const point = this.#points.get(claim.height);
    // A point that was released may still be named where peers only crash: no bound stands against what decides older terms' entries (docs/protocols/raft.md, C4).
    if (point === undefined) return done(this.#options.faultModel === "crash" && claim.height <= this.#newestPoint);
    if (point.size === claim.size && point.root === claim.root && claim.height <= this.certifiedHeight) return done(true);
    const claimed = { ...point, size: claim.size, root: claim.root };
    const cosignatures = decodeCosignatures(proof, claimed);
    const membership = this.#options.membershipAt(claim.height);
    if (
      cosignatures === undefined ||
      !this.#isQuorum(
        membership,
        cosignatures.map(({ node }) => node),
      )
    )
      return done(false);
    const claims = cosignatures.flatMap((item) => cosignatureClaims(membership, claimed, item) ?? []);
    if (claims.length !== 2 * cosignatures.length) return done(false);
    this.#options.verifier.verify(claims, (verdicts) => {
      const proved = verdicts.every(Boolean);
      const isOwn = claimed.root === point.root && claimed.size === point.size;
      if (proved && claimed.root !== this.#points.get(claim.height)?.root) this.#options.onDiverged(claim.height);
      if (proved && isOwn) this.#certify(claim.height, point, cosignatures);
      done(proved && isOwn);
    });
  }

  /** Takes what a decided block says to be certified, where this node has not seen the quorum itself. */
  learn(claim: CertifiedPoint, proof: Uint8Array): void {
    if (claim.height > this.certifiedHeight && proof.length > 0) this.checkClaim(claim, proof, () => undefined);
  }

  #add(height: number, candidate: Candidate): void {
    const candidates = this.#candidates.get(height) ?? new Map<NodeId, Candidate>();
    candidates.set(candidate.cosignature.node, candidate);
    this.#candidates.set(height, candidates);
    if (candidate.verdict === "good") this.#check(height);
  }

  /** Verifies as many candidates as a quorum needs, and certifies once it is there. */
  #check(height: number): void {
    const point = this.#points.get(height);
    const candidates = this.#candidates.get(height);
    if (point === undefined || candidates === undefined || height <= this.certifiedHeight) return;
    const all = [...candidates.values()];
    // Nearly always all say the same.
    if (all.every((candidate) => isOfOnePoint(candidate, all[0] ?? candidate))) return this.#checkGroup(height, point, all);
    const groups: Candidate[][] = [];
    for (const candidate of all) {
      const group = groups.find(([other]) => other !== undefined && isOfOnePoint(candidate, other));
      if (group === undefined) groups.push([candidate]);
      else group.push(candidate);
    }
    for (const group of groups) this.#checkGroup(height, point, group);
  }

  /** Candidates of different nodes that say the same. */
  #checkGroup(height: number, point: LogPoint, group: readonly Candidate[]): void {
    const membership = this.#options.membershipAt(height);
    const total = totalWeight(membership);
    const suffices = (weight: number): boolean => this.#options.rules.certifies(weight, total, this.#options.faultModel);
    let [reachable, counted, good] = [0, 0, 0];
    for (const { cosignature, verdict } of group) {
      const weight = findMember(membership, cosignature.node)?.weight ?? 0;
      reachable += weight;
      if (verdict !== "unknown") counted += weight;
      if (verdict === "good") good += weight;
    }
    // Only when the quorum is within reach: lines that cannot complete it yet cost nothing.
    if (!suffices(reachable)) return;
    if (suffices(good)) return this.#conclude(height, point, group);
    for (const candidate of group) {
      if (suffices(counted)) return;
      if (candidate.verdict !== "unknown") continue;
      counted += findMember(membership, candidate.cosignature.node)?.weight ?? 0;
      this.#verify(height, point, candidate);
    }
  }

  /** A quorum says this of the height, each of it verified. */
  #conclude(height: number, point: LogPoint, group: readonly Candidate[]): void {
    const good = group.flatMap(({ cosignature, verdict }) => (verdict === "good" ? [cosignature] : []));
    if (good.every(({ root, size }) => root === point.root && size === point.size)) this.#certify(height, point, good);
    else this.#options.onDiverged(height);
  }

  #verify(height: number, point: LogPoint, candidate: Candidate): void {
    const { cosignature } = candidate;
    candidate.verdict = "checking";
    const isOwn = cosignature.size === point.size && cosignature.root === point.root;
    const claimed = isOwn ? point : { ...point, size: cosignature.size, root: cosignature.root };
    const claims = cosignatureClaims(this.#options.membershipAt(height), claimed, cosignature);
    if (claims === undefined) return void this.#candidates.get(height)?.delete(cosignature.node);
    this.#options.verifier.verify(claims, (verdicts) => {
      if (verdicts.every(Boolean) || !this.#options.rules.verifiesCosignatures) candidate.verdict = "good";
      else this.#candidates.get(height)?.delete(cosignature.node);
      this.#check(height);
    });
  }

  #certify(height: number, point: LogPoint, cosignatures: readonly Cosignature[]): void {
    if (height <= this.certifiedHeight) return;
    const { membershipAt, trustDomain, faultModel, hasher } = this.#options;
    const membership = membershipAt(height);
    const note = assembleCheckpoint({ membership, trustDomain, point, cosignatures, faultModel, hasher });
    invariant(note !== undefined, "a quorum of verified cosignatures makes a note");
    const { size, root, shard } = point;
    const proof = encodeCosignatures(cosignatures);
    this.#certified = { point: { height, size, root }, note, shard, proof };
    this.#keepEnd(this.#certified);
    const lines = [...(this.#candidates.get(height)?.values() ?? [])].map((line) => line.cosignature);
    this.#options.falseRoots?.onCertified(height, { point, cosignatures }, lines);
    for (const old of this.#candidates.keys()) if (old <= height) this.#candidates.delete(old);
    this.#options.onCertified(this.#certified);
  }

  #keepEnd(certified: Certified): void {
    const { membershipAt } = this.#options;
    const { height } = certified.point;
    if (membershipAt(height + 1).epoch !== membershipAt(height).epoch) this.#ends.push(certified);
  }

  #isQuorum(membership: Membership, nodes: readonly NodeId[]): boolean {
    return this.#options.rules.certifies(weightOf(membership, nodes), totalWeight(membership), this.#options.faultModel);
  }
}

function isOfOnePoint({ cosignature: left }: Candidate, { cosignature: right }: Candidate): boolean {
  return left.size === right.size && left.root === right.root;
}
