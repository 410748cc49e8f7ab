import { ByteReader, ByteWriter, type Hash, parseHash, QuorumgateError } from "#base";
import type { SignIntent } from "./core.ts";

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

const PURPOSES = ["proposal", "vote", "view-change", "new-view"] as const;
const REFUSED_LOWER_VIEW: GuardAnswer = { kind: "refused", reason: "a higher view was promised" };

/**
 * The last line before the key (docs/protocols/pbft.md, rule G1): a slot (epoch, height, view, phase) never gets two digests, and no view
 * below the highest promised gets a signature. It knows nothing of the protocol, so a bug there cannot make a node vote twice.
 */
export class VoteGuard {
  readonly #slots = new Map<string, GuardRecord>();
  #highestView = 0;
  /** The record that keeps the highest view in the store after its height was pruned. */
  #promise: GuardRecord | undefined;

  constructor(records: readonly GuardRecord[] = []) {
    for (const record of records) this.#keep(record);
  }

  /** The highest view that this node asked for or voted in. */
  get highestView(): number {
    return this.#highestView;
  }

  /** Whether the key may sign. A wish that is granted holds its slot at once, so that two cannot be under way. */
  request(intent: SignIntent): GuardAnswer {
    const known = this.#slots.get(slotOf(intent));
    if (known !== undefined && known.intent.digest !== intent.digest) {
      return { kind: "refused", reason: "the slot has another digest" };
    }
    if (known !== undefined && known.signature.length > 0) return { kind: "stored", signature: known.signature };
    if (intent.view < this.#highestView) return REFUSED_LOWER_VIEW;
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
  remembers(vote: Omit<SignIntent, "purpose"> & { readonly signature: Uint8Array }): boolean {
    const purpose = vote.phase === 1 ? "proposal" : "vote";
    const known = this.#slots.get(slotOf({ ...vote, purpose }));
    return known?.intent.digest === vote.digest;
  }

  /**
   * Forgets slots at and below a decided height; nothing is signed there any more. Returns the keys of stored records that may go: one
   * record of the highest promise always stays.
   */
  prune(height: number): string[] {
    const removed: string[] = [];
    for (const [slot, record] of this.#slots) {
      if (record.intent.height > height) continue;
      this.#slots.delete(slot);
      if (record.intent.view === this.#highestView) {
        if (this.#promise !== undefined) removed.push(guardKey(this.#promise));
        this.#promise = record;
      } else removed.push(slot);
    }
    return removed;
  }

  #keep(record: GuardRecord): void {
    this.#slots.set(slotOf(record.intent), record);
    this.#highestView = Math.max(this.#highestView, record.intent.view);
  }
}

/** Where a record is stored: one place per slot, so that a later record never hides an earlier one. */
export function guardKey({ intent }: GuardRecord): string {
  return slotOf(intent);
}

/** Record: u8 purpose ‖ epoch ‖ height ‖ view ‖ u8 phase ‖ digest ‖ signature. */
export function encodeGuardRecord({ intent, signature }: GuardRecord): Uint8Array {
  const { purpose, epoch, height, view, phase, digest } = intent;
  const writer = new ByteWriter(192).u8(PURPOSES.indexOf(purpose)).u64(epoch).u64(height).u64(view);
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

function slotOf({ epoch, height, view, phase, purpose }: SignIntent): string {
  const pad = (value: number): string => String(value).padStart(16, "0");
  return `${pad(height)}/${pad(epoch)}/${pad(view)}/${purpose}/${phase}`;
}
