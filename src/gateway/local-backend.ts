import { type Genesis, type Hash, type JsonValue, LIMITS, parseDecimal, QuorumgateError, type SignedCommand, toBase64 } from "#base";
import type { OrderedRecord, ReadAnswer, Replica } from "#replica";
import { grantToCanonical, serviceToCanonical } from "#state";
import type { Backend, BatchedSubmission, CommandOutcome, Consistency, EntryProofAnswer, NodeStatus, Submission } from "./backend.ts";
import { describeStatus } from "./health.ts";
import { membersView } from "./members.ts";

/** The node in this process. */
export class LocalBackend implements Backend {
  readonly #replica: Replica;
  readonly #genesis: Genesis;

  constructor(node: { readonly replica: Replica; readonly genesis: Genesis }) {
    this.#replica = node.replica;
    this.#genesis = node.genesis;
  }

  cluster(): Promise<Hash> {
    return Promise.resolve(this.#replica.cluster);
  }

  async submit(signed: SignedCommand, timeoutMs: number): Promise<Submission> {
    const submission = await this.#submit(signed, timeoutMs);
    if (submission.kind === "refused") throw new QuorumgateError(submission.code, submission.message);
    return submission;
  }

  submitAll(signed: readonly SignedCommand[], timeoutMs: number): Promise<readonly BatchedSubmission[]> {
    return Promise.all(signed.map((command) => this.#submit(command, timeoutMs)));
  }

  async decision(id: Hash, consistency?: Consistency): Promise<CommandOutcome | "pending" | undefined> {
    const look = (): OrderedRecord | "pending" | undefined =>
      this.#replica.find(id) ?? (this.#replica.isWaiting(id) ? "pending" : undefined);
    // What is not on the disk yet is told as pending: there is nothing to wait for.
    const found = consistency === "linearizable" ? await this.#look(consistency, look) : look();
    return found === undefined || found === "pending" ? found : this.outcomeOf(found);
  }

  status(): Promise<NodeStatus> {
    return Promise.resolve(describeStatus(this.#genesis, this.#replica.status(), (command) => this.#replica.find(command)?.seq));
  }

  service(id: string, consistency?: Consistency): Promise<JsonValue | undefined> {
    return this.#look(consistency, () => {
      const { state } = this.#replica;
      const service = state.service(id);
      return service && { ...serviceToCanonical(service), grants: state.grantsOf(id).map(grantToCanonical) };
    });
  }

  services(page: { readonly after?: string; readonly limit: number }, consistency?: Consistency): Promise<JsonValue> {
    return this.#look(consistency, () => {
      const { items, next } = this.#replica.state.services(page);
      return { items: items.map(serviceToCanonical), ...(next === undefined ? {} : { next }) };
    });
  }

  members(consistency?: Consistency): Promise<JsonValue> {
    return this.#look(consistency, () => membersView(this.#replica.state, this.#replica.cluster));
  }

  entries(range: { readonly from: number; readonly to: number }): Promise<readonly Uint8Array[]> {
    return Promise.resolve(this.#replica.reader.entries(range));
  }

  proof(seq: number): Promise<EntryProofAnswer | undefined> {
    const { reader } = this.#replica;
    const proof = reader.proof(seq);
    const checkpoint = proof === undefined ? undefined : reader.checkpoint(proof.shard);
    if (proof === undefined || checkpoint === undefined) return Promise.resolve(undefined);
    return Promise.resolve({ seq, ...proof, path: proof.path.map(toBase64), checkpoint });
  }

  policy(): Promise<string> {
    return Promise.resolve(this.#replica.reader.policy());
  }

  checkpoint(): Promise<string | undefined> {
    return Promise.resolve(this.#replica.reader.checkpoint());
  }

  logFile(path: string): Promise<Uint8Array | undefined> {
    const at = path.indexOf("/");
    const [shard, rest] = [path.slice(0, at), path.slice(at + 1)];
    if (shard === "epochs") return Promise.resolve(this.#replica.reader.handover(parseDecimal(rest, "epoch")));
    if (rest !== "checkpoint") return Promise.resolve(this.#replica.reader.tile(shard, rest));
    const note = this.#replica.reader.checkpoint(shard);
    return Promise.resolve(note === undefined ? undefined : new TextEncoder().encode(note));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** A record with its receipt, as far as a checkpoint covers it. */
  outcomeOf(record: OrderedRecord): CommandOutcome {
    const receipt = this.#replica.reader.receipt(record);
    const { command, outcome, code, height, timeUs, answer, seq } = record;
    return {
      decisionId: command,
      outcome,
      code,
      height,
      timeMs: Math.floor(timeUs / 1_000),
      answer,
      ...(seq === undefined ? {} : { seq }),
      ...(receipt === undefined ? {} : { receipt }),
    };
  }

  #submit(signed: SignedCommand, timeoutMs: number): Promise<BatchedSubmission> {
    const { hash: decisionId } = signed;
    return new Promise((resolve) => {
      this.#replica.submit(signed, timeoutMs, (answer) => {
        if (answer.kind === "rejected") resolve({ kind: "refused", code: answer.code, message: answer.message, decisionId });
        else if (answer.kind === "ordered") resolve({ kind: "ordered", outcome: this.outcomeOf(answer.record) });
        else resolve({ kind: "unavailable", code: answer.code, decisionId, waitingFor: answer.waitingFor });
      });
    });
  }

  /** Looks at the state, as it is on the disk here or where a linearizable read may; what looking throws is thrown to whoever asked. */
  #look<T>(consistency: Consistency = "local", look: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const seen = (): (() => void) => {
        try {
          const value = look();
          return () => resolve(value);
        } catch (error) {
          return () => reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      const isLocal = consistency === "local";
      const unavailable = isLocal
        ? "this node's disk did not take the newest block in time"
        : "no quorum confirmed in time how far the ledger goes";
      const done = (answer: ReadAnswer<() => void>): void => {
        if (answer.kind === "read") answer.value();
        else reject(new QuorumgateError("QUORUM_UNAVAILABLE", unavailable));
      };
      if (isLocal) this.#replica.readLocal(LIMITS.submitTimeoutMs, seen, done);
      else this.#replica.read(LIMITS.submitTimeoutMs, seen, done);
    });
  }
}
