import { ByteReader, ByteWriter, type Hash, type Purpose, parseHash, QuorumgateError } from "#base";

export { phaseOf } from "#base";

/** What a signature would say, for the vote guard: the same slot never gets two digests. */
export interface SignIntent {
  readonly purpose: Extract<Purpose, "proposal" | "vote" | "view-change" | "new-view">;
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  /** What stands once in a (height, view): the vote type, one number for a vote and its nil form; 0 for view changes and new views. */
  readonly phase: number;
  /** SHA-256 of the body for view changes and new views, header digest otherwise. */
  readonly digest: Hash;
}

/** A signature that this node gave, with what it said. Durable before the signature leaves. */
export interface GuardRecord {
  readonly intent: SignIntent;
  readonly signature: Uint8Array;
}

/** The guard's answer to a wish to sign. */
export type GuardAnswer =
  | { readonly kind: "sign" }
  | { readonly kind: "stored"; readonly signature: Uint8Array }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * What a vote in a view promises: no lower view at any height of the epoch (pbft), or at this height (tendermint, whose rounds start anew). Never
 * more than an epoch's (docs/protocols/membership.md, M7).
 */
export type GuardScope = "epoch" | "height";

const PURPOSES = ["proposal", "vote", "view-change", "new-view"] as const;
const REFUSED_LOWER_VIEW: GuardAnswer = { kind: "refused", reason: "a higher view was promised" };
const REFUSED_DIGEST: GuardAnswer = { kind: "refused", reason: "the slot has another digest" };
const REFUSED_DECIDED: GuardAnswer = { kind: "refused", reason: "the height is decided" };

/**
 * The last line before the key (docs/protocols/pbft.md, rule G1): a slot (epoch, height, view, phase) never gets two digests, and no view
 * below the highest promised gets a signature. It knows nothing of the protocol, so a bug there cannot make a node vote twice.
 */
export class VoteGuard {
  readonly #slots = new Map<string, GuardRecord>();
  readonly #scope: GuardScope;
  /** The highest view by epoch, or by epoch and height. */
  readonly #highest = new Map<string, number>();
  /** Nothing is signed at this height and below any more. */
  #decidedHeight = 0;
  /** The record that keeps the highest view in the store after its height was pruned. */
  #promise: GuardRecord | undefined;

  constructor(records: readonly GuardRecord[] = [], scope: GuardScope = "epoch") {
    this.#scope = scope;
    for (const record of records) this.#keep(record);
  }

  /** The highest view that this node asked for or voted in, in the epoch (or, by scope, at the height). */
  highestView(slot: { readonly epoch: number; readonly height: number }): number {
    return this.#highest.get(this.#scopeOf(slot)) ?? 0;
  }

  /** Whether the key may sign. A wish that is granted holds its slot at once, so that two cannot be under way. */
  request(intent: SignIntent): GuardAnswer {
    const known = this.#slots.get(slotOf(intent));
    if (known !== undefined && known.intent.digest !== intent.digest) return REFUSED_DIGEST;
    if (known !== undefined && known.signature.length > 0) return { kind: "stored", signature: known.signature };
    if (intent.height <= this.#decidedHeight) return REFUSED_DECIDED;
    if (intent.view < this.highestView(intent)) return REFUSED_LOWER_VIEW;
    this.#keep({ intent, signature: new Uint8Array(0) });
    return { kind: "sign" };
  }

  /** Keeps what was signed; the record has to be durable before the signature leaves. */
  record(intent: SignIntent, signature: Uint8Array): GuardRecord {
    const record = { intent, signature };
    this.#keep(record);
    return record;
  }

  /** True when exactly this was signed by this node as far as it remembers. */
  remembers(vote: Omit<SignIntent, "purpose"> & { readonly purpose: "proposal" | "vote"; readonly signature: Uint8Array }): boolean {
    const known = this.#slots.get(slotOf(vote));
    return known?.intent.digest === vote.digest;
  }

  /**
   * Forgets slots at and below a decided height; nothing is signed there any more. Returns the keys of stored records that may go: where
   * promises reach over heights, one record of the newest epoch's highest promise always stays.
   */
  prune(height: number): string[] {
    this.#decidedHeight = Math.max(this.#decidedHeight, height);
    const removed: string[] = [];
    for (const [slot, record] of this.#slots) {
      if (record.intent.height > height) continue;
      this.#slots.delete(slot);
      if (this.#scope === "height") this.#highest.delete(this.#scopeOf(record.intent));
      if (this.#isPromise(record.intent)) {
        if (this.#promise !== undefined) removed.push(guardKey(this.#promise));
        this.#promise = record;
      } else removed.push(slot);
    }
    return removed;
  }

  #isPromise(intent: SignIntent): boolean {
    if (this.#scope === "height" || intent.view < this.highestView(intent)) return false;
    return this.#promise === undefined || intent.epoch >= this.#promise.intent.epoch;
  }

  #keep(record: GuardRecord): void {
    const { intent } = record;
    this.#slots.set(slotOf(intent), record);
    this.#highest.set(this.#scopeOf(intent), Math.max(this.highestView(intent), intent.view));
  }

  #scopeOf({ epoch, height }: { readonly epoch: number; readonly height: number }): string {
    return this.#scope === "epoch" ? String(epoch) : `${epoch}/${height}`;
  }
}

/** Where a record is stored: one place per slot, so that a later record never hides an earlier one. */
export function guardKey({ intent }: GuardRecord): string {
  return slotOf(intent);
}

/** Record: u8 purpose ‖ epoch ‖ height ‖ view ‖ u8 phase ‖ digest ‖ signature. */
export function encodeGuardRecord({ intent, signature }: GuardRecord): Uint8Array {
  const { purpose, epoch, height, view, phase, digest } = intent;
  const writer = new ByteWriter().u8(PURPOSES.indexOf(purpose)).u64(epoch).u64(height).u64(view);
  return writer.u8(phase).text(digest).bytes(signature).finish();
}

/** Reads a record of this node's own store. @throws {QuorumgateError} STORAGE_CORRUPT and format errors */
export function decodeGuardRecord(bytes: Uint8Array): GuardRecord {
  const reader = new ByteReader(bytes);
  const purpose = PURPOSES[reader.u8()];
  if (purpose === undefined) throw new QuorumgateError("STORAGE_CORRUPT", "a record of the vote guard does not read");
  const [epoch, height, view, phase] = [reader.u64(), reader.u64(), reader.u64(), reader.u8()];
  const digest: Hash = parseHash(reader.text(64));
  const signature = reader.bytes(64);
  reader.end();
  return { intent: { purpose, epoch, height, view, phase, digest }, signature };
}

/** The guard asks three times for the slot of one wish, and once more for its record. */
const SLOTS = new WeakMap<object, string>();

function slotOf(intent: Omit<SignIntent, "digest">): string {
  const known = SLOTS.get(intent);
  if (known !== undefined) return known;
  const { epoch, height, view, phase, purpose } = intent;
  const slot = `${pad(height)}/${pad(epoch)}/${pad(view)}/${purpose}/${phase}`;
  SLOTS.set(intent, slot);
  return slot;
}

function pad(value: number): string {
  return String(value).padStart(16, "0");
}
