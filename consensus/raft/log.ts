import { type Hash, invariant } from "#base";
import type { Proposal, Tip } from "../block.ts";

/** An entry, or the tip that stands for all below it. */
export interface LogPoint {
  readonly height: number;
  readonly digest: Hash;
  /** Term in which its leader first appended it. */
  readonly term: number;
  readonly timeUs: number;
}

/** The log above the tip, hash-chained to it. What is decided is not kept here. */
export class RaftLog {
  #tip: LogPoint;
  #entries: Proposal[] = [];

  constructor(tip: Tip, epoch: number) {
    // Terms start anew with each epoch: a tip of an earlier one is older than any entry of this.
    this.#tip = { ...tip, term: tip.certificate?.epoch === epoch ? tip.view : 0 };
  }

  get tip(): LogPoint {
    return this.#tip;
  }

  get last(): LogPoint {
    return this.#entries.length === 0 ? this.#tip : this.#pointAt(this.#entries.length - 1);
  }

  /** Entries above the tip, ascending. */
  get entries(): readonly Proposal[] {
    return this.#entries;
  }

  /** The entry of a height above the tip. */
  entry(height: number): Proposal | undefined {
    return this.#entries[height - this.#tip.height - 1];
  }

  /** The tip or the entry of the height; undefined below the tip and above the last entry. */
  point(height: number): LogPoint | undefined {
    if (height === this.#tip.height) return this.#tip;
    return height > this.#tip.height && height <= this.last.height ? this.#pointAt(height - this.#tip.height - 1) : undefined;
  }

  append(proposal: Proposal): void {
    const { last } = this;
    invariant(proposal.header.height === last.height + 1 && proposal.header.parent === last.digest, "an entry follows the last one");
    this.#entries.push(proposal);
  }

  /** Cuts off the height and what is above it; returns the heights that went. */
  truncate(height: number): number[] {
    invariant(height > this.#tip.height, "nothing decided is cut off");
    return this.#entries.splice(height - this.#tip.height - 1).map(({ header }) => header.height);
  }

  /** Moves the tip up by one decided block. Entries that do not follow it go; returns their heights. */
  decide(proposal: Proposal): number[] {
    invariant(proposal.header.height === this.#tip.height + 1, "heights are decided in order");
    const [first] = this.#entries;
    const removed = first === undefined || first.digest === proposal.digest ? [] : this.#entries.map(({ header }) => header.height);
    this.#entries = removed.length > 0 ? [] : this.#entries.slice(1);
    this.#tip = pointOf(proposal);
    return removed;
  }

  #pointAt(index: number): LogPoint {
    const proposal = this.#entries[index];
    invariant(proposal !== undefined, "the entry is there");
    return pointOf(proposal);
  }
}

function pointOf({ header, digest }: Proposal): LogPoint {
  return { height: header.height, digest, term: header.originView, timeUs: header.timeUs };
}
