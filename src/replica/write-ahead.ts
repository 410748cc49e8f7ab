import type { KeyValueStore, WriteOperation } from "#base";
import { countOperation, encodeCount, type GuardCount } from "./participation/guard-count.ts";
import type { ReplicaRules } from "./rules.ts";
import type { GuardAnchor } from "./types.ts";

/** Less than any count: the next output waits until the anchor is written. */
const NOT_ANCHORED = -1;

/** What the write-ahead log stands on. */
export interface WriteAheadOptions {
  readonly store: KeyValueStore;
  readonly anchor: GuardAnchor;
  /** What was counted before this start. */
  readonly count: GuardCount;
  /** False for a node that forgot: until it adopts a floor it counts no vote, or it would pass for one that forgot nothing when it starts again. */
  readonly counts?: boolean;
  readonly rules?: Pick<ReplicaRules, "sendsUnwritten" | "stopsAtFailedWrite">;
  onFailure(error: Error): void;
  /** Told of what is thrown once a write is done: nobody else would catch it, and half of what follows from the write would be left out. */
  onFault(cause: unknown): void;
}

interface Output {
  /** Appends that have to be durable first. */
  readonly after: number;
  /** Votes that have to be counted in the anchor first. */
  readonly votes: number;
  readonly run: () => void;
}

/**
 * Persist before send. Appends go to the store in order; an output that was queued after an append runs once that append is durable and
 * every vote before it is counted in the anchor too. The store completes writes in order, so counters tell what is durable.
 */
export class WriteAhead {
  readonly #options: WriteAheadOptions;
  #appended = 0;
  #durable = 0;
  #counts: boolean;
  #votes: number;
  #votesStored: number;
  #votesAnchored: number;
  #anchoring = false;
  #outputs: Output[] = [];
  /** Deletions that wait for the next append: nothing depends on them, so they cost no write of their own. */
  #forgotten: WriteOperation[] = [];
  #failed = false;

  constructor(options: WriteAheadOptions) {
    this.#options = options;
    this.#counts = options.counts !== false;
    const { votes, anchored } = options.count;
    this.#votes = votes;
    this.#votesStored = votes;
    // A node that forgot counts no vote, and waits for none.
    this.#votesAnchored = this.#counts ? anchored : votes;
    // What it was about to count when it ended is counted before it is sent again: an older copy of the folder that lacks it would pass for current.
    this.#anchor();
  }

  /** Queues writes; `done` runs when they are durable. After a failure nothing runs any more. */
  append(operations: readonly WriteOperation[], done?: () => void): void {
    if (this.#failed) return;
    const position = ++this.#appended;
    const batch = this.#forgotten.length === 0 ? operations : [...this.#forgotten, ...operations];
    this.#forgotten = [];
    this.#options.store.write(batch, (error) => {
      if (this.#failed) return;
      if (error !== undefined && this.#options.rules?.stopsAtFailedWrite !== false) return this.#fail(error);
      this.#durable = Math.max(this.#durable, position);
      this.#run(() => {
        done?.();
        this.#release();
      });
    });
  }

  /** Deletes records along with the next append, before its writes. */
  forget(keys: readonly string[]): void {
    for (const key of keys) this.#forgotten.push({ key });
  }

  /** Appends what makes a folder count as current again; votes are counted from here on. An anchor that was lost counts them again too. */
  appendFloor(operations: readonly WriteOperation[], done: () => void): void {
    this.#counts = true;
    const votes = this.#votes;
    this.append([...operations, this.#countOperation(votes)], () => {
      this.#votesStored = votes;
      this.#votesAnchored = NOT_ANCHORED;
      this.#anchor();
      done();
    });
  }

  /** Appends a record of a vote and counts it, in one batch. What a node says that forgot is no vote yet: nobody counts it. */
  appendVote(operation: WriteOperation): void {
    if (!this.#counts) return this.append([operation]);
    const votes = ++this.#votes;
    this.append([operation, this.#countOperation(votes)], () => {
      this.#votesStored = votes;
      this.#anchor();
    });
  }

  /** Runs the output once everything appended so far is durable, in the order of the calls. */
  output(run: () => void): void {
    if (this.#failed) return;
    const output = { after: this.#appended, votes: this.#votes, run };
    if (this.#outputs.length === 0 && this.#isFree(output)) run();
    else this.#outputs.push(output);
  }

  #countOperation(votes: number): WriteOperation {
    return countOperation(votes, this.#options.count.owner);
  }

  /** Counts in the anchor what is counted in the store; what arrives meanwhile is counted by the next write. */
  #anchor(): void {
    if (this.#anchoring || this.#failed || this.#votesAnchored >= this.#votesStored) return;
    this.#anchoring = true;
    const votes = this.#votesStored;
    this.#options.anchor.write(encodeCount(votes, this.#options.count.owner), (error) => {
      this.#anchoring = false;
      if (this.#failed) return;
      if (error !== undefined) return this.#fail(error);
      this.#votesAnchored = votes;
      this.#run(() => {
        this.#release();
        this.#anchor();
      });
    });
  }

  #isFree(output: Output): boolean {
    if (this.#options.rules?.sendsUnwritten === true) return true;
    return output.after <= this.#durable && output.votes <= this.#votesAnchored;
  }

  #release(): void {
    let released = 0;
    for (const output of this.#outputs) {
      if (!this.#isFree(output)) break;
      released += 1;
    }
    for (const output of this.#outputs.splice(0, released)) output.run();
  }

  #run(then: () => void): void {
    try {
      then();
    } catch (cause) {
      this.stop();
      this.#options.onFault(cause);
    }
  }

  /** From now on nothing leaves and nothing runs; what is being written is written. */
  stop(): void {
    this.#failed = true;
    this.#outputs = [];
  }

  #fail(error: Error): void {
    this.#failed = true;
    this.#outputs = [];
    this.#options.onFailure(error);
  }
}
