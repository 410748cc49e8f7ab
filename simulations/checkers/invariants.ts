import type { CertifiedPoint, Hash, Membership, NodeId } from "#base";
import {
  type ConsensusMessage,
  checkCommitCertificate,
  checkPreparedCertificate,
  commitCertificateClaims,
  decodeMessage,
  preparedCertificateClaims,
  type ViewChange,
} from "#consensus";
import type { BlockEvent, Replica } from "#replica";
import type { SimulatedCluster } from "../cluster.ts";
import type { KeyMill } from "../keys.ts";
import type { Intent, Operation } from "../workload.ts";
import { withoutAuthority } from "./authority.ts";

/** A broken invariant, by its number in docs/TESTING.md. */
export interface Violation {
  readonly invariant: "A1" | "A2" | "A3" | "A4" | "A5" | "A6" | "A7" | "A8" | "A9" | "L1" | "L2" | "Z1" | "S1";
  readonly detail: string;
}

interface Seen {
  readonly digest: Hash;
  readonly stateHash: Hash;
}

/** Watches a run from outside and keeps the first violation of each invariant. */
export class Checker {
  readonly violations: Violation[] = [];
  readonly #honest: (node: NodeId) => boolean;
  readonly #askedFor: (command: Hash) => Intent | undefined;
  readonly #blocks = new Map<number, Seen>();
  readonly #heights = new Map<NodeId, number>();
  readonly #votes = new Map<string, Hash>();
  readonly #effects = new Set<string>();
  readonly #roots = new Map<number, Hash>();
  readonly #proved = new WeakSet<ConsensusMessage>();
  commits = 0;

  /** @param options.askedFor what a command of the workload asked for */
  constructor(options: { honest(node: NodeId): boolean; askedFor(command: Hash): Intent | undefined }) {
    this.#honest = (node) => options.honest(node);
    this.#askedFor = (command) => options.askedFor(command);
  }

  /** Nobody's guess but a fact: the run names it once. */
  fail(invariant: Violation["invariant"], detail: string): void {
    if (!this.violations.some((violation) => violation.invariant === invariant)) this.violations.push({ invariant, detail });
  }

  /** A1, A9: equal digests and state hashes at equal heights. Checked as each block is applied. */
  onBlock(node: NodeId, block: BlockEvent): void {
    if (!this.#honest(node)) return;
    const { height, digest, stateHash } = block;
    const known = this.#blocks.get(height);
    if (known === undefined) {
      this.#blocks.set(height, { digest, stateHash });
      this.commits += 1;
      for (const { command } of block.results)
        if (this.#askedFor(command) === undefined) this.fail("A2", `${command.slice(0, 8)} stands in a block, and no client sent it`);
    } else if (known.digest !== digest)
      this.fail("A1", `${node} decided ${digest.slice(0, 8)} at ${height}, others ${known.digest.slice(0, 8)}`);
    else if (known.stateHash !== stateHash) this.fail("A9", `${node} has another state hash at ${height}`);
    if (height > (this.#heights.get(node) ?? 0)) this.#checkEffects(node, block);
    this.#heights.set(node, Math.max(this.#heights.get(node) ?? 0, height));
  }

  /** A2: a command takes effect once; a second time it is refused as a duplicate. */
  #checkEffects(node: NodeId, block: BlockEvent): void {
    for (const { command, code } of block.results) {
      const key = `${node}/${command}`;
      if (code !== "COMMAND_DUPLICATE" && this.#effects.has(key))
        this.fail("A2", `${node} applied ${command.slice(0, 8)} twice, at ${block.height} too`);
      this.#effects.add(key);
    }
  }

  /** L2: one height has one certified root. */
  onCertified(node: NodeId, point: CertifiedPoint): void {
    if (!this.#honest(node)) return;
    const known = this.#roots.get(point.height);
    if (known !== undefined && known !== point.root) this.fail("L2", `${node} holds another certified root after ${point.height}`);
    this.#roots.set(point.height, point.root);
  }

  /** A3: what an honest node offers as proof that a value was prepared, proves it. */
  onPrepared(from: NodeId, message: ViewChange, run: { cluster: Hash; keys: KeyMill; membership: Membership }): void {
    const { prepared } = message;
    if (!this.#honest(from) || this.#proved.has(message)) return;
    this.#proved.add(message);
    for (const certificate of prepared) {
      run.keys.verifier.verify(preparedCertificateClaims(certificate, run), (verdicts) => {
        if (!checkPreparedCertificate(certificate, run.membership) || !verdicts.every(Boolean))
          this.fail("A3", `${from} offers a prepared certificate for ${certificate.height} that proves nothing`);
      });
    }
  }

  /** A5: an honest node never sends two votes for one (height, view, phase), whatever became of it in between. */
  onMessage(from: NodeId, message: ConsensusMessage, digestOf: (headerBytes: Uint8Array) => Hash): void {
    if (!this.#honest(from)) return;
    if (message.type !== "propose" && message.type !== "prepare" && message.type !== "commit") return;
    const digest = message.type === "propose" ? digestOf(message.headerBytes) : message.digest;
    const slot = `${from}/${message.epoch}/${message.height}/${message.view}/${message.type}`;
    const known = this.#votes.get(slot);
    if (known !== undefined && known !== digest) this.fail("A5", `${from} voted twice at ${slot}`);
    this.#votes.set(slot, digest);
  }

  /** A8: evidence names only the guilty. */
  onEvidence(offender: NodeId): void {
    if (this.#honest(offender)) this.fail("A8", `evidence against the honest ${offender}`);
  }

  /** S1: no input stops an honest node, unless its disk failed. */
  onHalted(node: NodeId, reason: string): void {
    if (this.#honest(node) && !reason.startsWith("the disk")) this.fail("S1", `${node} halted: ${reason}`);
  }

  /** A2, A3, A4, A6, L1 over what stands in the logs at the end. */
  finish(run: { cluster: SimulatedCluster; keys: KeyMill; operations: readonly Operation[]; membership: Membership }): void {
    const replicas = run.cluster.nodes.filter((node) => this.#honest(node.id) && node.replica !== undefined && node.halted === undefined);
    for (const node of replicas) {
      const { replica } = node;
      if (replica === undefined) continue;
      for (const operation of run.operations) {
        const { record } = operation;
        if (record === undefined) continue;
        const stored = replica.find(operation.signed.hash);
        if (stored === undefined || stored.seq !== record.seq || stored.outcome !== record.outcome || stored.height !== record.height) {
          this.fail("A4", `${node.id} does not hold what was acknowledged: ${operation.signed.hash.slice(0, 8)}`);
        }
      }
      this.#checkBlocks(node.id, run);
      this.#checkAuthority(replica, run.operations);
    }
    this.#checkOrder(run.operations);
  }

  #checkBlocks(id: NodeId, run: { cluster: SimulatedCluster; keys: KeyMill; membership: Membership }): void {
    const { store } = run.cluster.node(id);
    for (let height = 1; height <= (this.#heights.get(id) ?? 0); height++) {
      const bytes = store?.get(`b/${String(height).padStart(16, "0")}`);
      const message = bytes === undefined ? undefined : decodeMessage(bytes);
      if (message?.type !== "block") return this.fail("L1", `${id} lost its block ${height}`);
      const context = { cluster: run.cluster.cluster as Hash, membership: run.membership, engine: "pbft" as const };
      const claims = commitCertificateClaims(message.certificate, context);
      run.keys.verifier.verify(claims, (verdicts) => {
        const proved = checkCommitCertificate(message.certificate, context) && verdicts.length === claims.length && verdicts.every(Boolean);
        if (!proved) this.fail("A3", `${id} holds no valid certificate for ${height}`);
      });
    }
  }

  /** Z1, over what a node has on record, in the order of the log: every allowed decision had its authority there. */
  #checkAuthority(replica: Replica, operations: readonly Operation[]): void {
    const hashes = new Set(operations.map(({ signed }) => signed.hash));
    const records = [...hashes].flatMap((hash) => replica.find(hash) ?? []);
    records.sort((a, b) => a.height - b.height || (a.seq ?? 0) - (b.seq ?? 0));
    for (const wrong of withoutAuthority(records, this.#askedFor)) this.fail("Z1", wrong);
  }

  /** A6: an operation that was answered before another was asked stands before it in the log. */
  #checkOrder(operations: readonly Operation[]): void {
    const answered = operations.filter((operation) => operation.record?.seq !== undefined && operation.answeredUs !== undefined);
    const byAnswer = [...answered].sort((a, b) => (a.answeredUs ?? 0) - (b.answeredUs ?? 0));
    const bySubmit = [...answered].sort((a, b) => a.submittedUs - b.submittedUs);
    let highest = -1;
    let next = 0;
    for (const operation of bySubmit) {
      for (; next < byAnswer.length && (byAnswer[next]?.answeredUs ?? 0) < operation.submittedUs; next++) {
        highest = Math.max(highest, byAnswer[next]?.record?.seq ?? -1);
      }
      const isRepeat = operations.some((other) => other !== operation && other.signed.hash === operation.signed.hash);
      if (!isRepeat && (operation.record?.seq ?? 0) < highest)
        this.fail("A6", "an operation was ordered before one that was answered before it began");
    }
  }
}
