import { encodeHandover, policyOf, policyText, receiptText, shardAt } from "#audit";
import {
  ByteReader,
  ByteWriter,
  type Genesis,
  type Hasher,
  type KeyValueStore,
  parseHash,
  QuorumgateError,
  type WriteOperation,
} from "#base";
import { STORE_KEYS } from "../keys.ts";
import type { Salvage } from "../salvage.ts";
import type { OrderedRecord } from "../types.ts";
import type { Certified, Certifier } from "./certifier.ts";
import type { Ledger } from "./ledger.ts";

/** What the reader stands on. */
export interface LogReaderOptions {
  readonly ledger: Ledger;
  readonly certifier: Certifier;
  readonly store: KeyValueStore;
  readonly salvage: Salvage;
  readonly genesis: Genesis;
  readonly hasher: Hasher;
}

/** An inclusion proof with what it proves. */
export interface EntryProof {
  readonly shard: string;
  readonly index: number;
  /** Size of the certified tree. */
  readonly size: number;
  readonly path: readonly Uint8Array[];
}

/** Reads of the log for callers: only what a quorum has cosigned is shown as certain. */
export class LogReader {
  readonly #options: LogReaderOptions;

  constructor(options: LogReaderOptions) {
    this.#options = options;
  }

  /** The newest certified checkpoint of a shard, the open one by default: a signed note. */
  checkpoint(shard?: string): string | undefined {
    const { certifier, store } = this.#options;
    const { certified } = certifier;
    if (certified !== undefined && (shard === undefined || shard === certified.shard)) return certified.note;
    const stored = shard === undefined ? undefined : store.get(STORE_KEYS.certifiedOfShard(shard));
    return stored === undefined ? undefined : readCertified(stored).note;
  }

  /** The receipt of an ordered command, once a checkpoint covers its entry: a tlog-proof whose extra is the entry. */
  receipt(record: OrderedRecord): string | undefined {
    if (record.seq === undefined) return undefined;
    const { ledger, store } = this.#options;
    const proof = this.proof(record.seq);
    const checkpoint = proof === undefined ? undefined : this.checkpoint(proof.shard);
    if (proof === undefined || checkpoint === undefined) return undefined;
    const entry = ledger.log.entry(record.seq, (key) => store.get(key));
    return receiptText({ entry, index: proof.index, proof: proof.path, checkpoint });
  }

  /** Inclusion proof of an entry in the newest certified tree of its shard. @throws {QuorumgateError} AUDIT_RANGE */
  proof(seq: number): EntryProof | undefined {
    const { ledger, store } = this.#options;
    const { shard, index } = ledger.log.locate(seq);
    const size = this.#certifiedSize(shard);
    if (size === undefined || index >= size) return undefined;
    return { shard, index, size, path: ledger.log.inclusionProof({ shard, index, size }, (key) => store.get(key)) };
  }

  /** Entries by global sequence, from (inclusive) to (exclusive), at most to the end of what is on the disk. @throws {QuorumgateError} AUDIT_RANGE */
  entries(range: { readonly from: number; readonly to: number }): readonly Uint8Array[] {
    const { ledger, store } = this.#options;
    const entries: Uint8Array[] = [];
    for (let seq = range.from; seq < Math.min(range.to, this.#endSeq()); seq++)
      entries.push(ledger.log.entry(seq, (key) => store.get(key)));
    return entries;
  }

  /** A tile or bundle of entries by its C2SP path. @throws {QuorumgateError} AUDIT_RANGE */
  tile(shard: string, path: string): Uint8Array | undefined {
    const { ledger, store } = this.#options;
    return ledger.log.tile(path, (key) => store.get(key), { shard, endSeq: this.#endSeq() });
  }

  /** The policy file that a verifier of this cluster needs. */
  policy(): string {
    const { genesis, ledger, certifier, hasher } = this.#options;
    // Of the epoch that the newest checkpoint, and so every receipt that is given out now, is signed in.
    const membership = ledger.state.membershipAt(Math.max(1, certifier.certifiedHeight));
    // An empty log has no shard yet: it opens with the first block.
    const shard = ledger.tip.height === 0 ? shardAt(ledger.tip.timeUs) : ledger.log.point.shard;
    return policyText(policyOf({ genesis, cluster: ledger.cluster, membership }), shard, hasher);
  }

  /** What was certified since it was asked last, written along with a block: after a restart receipts are served at once. */
  certifiedOperations(): WriteOperation[] {
    const { certifier } = this.#options;
    const { certified } = certifier;
    if (certified === undefined) return [];
    const value = encodeCertified(certified);
    return [
      { key: STORE_KEYS.certified, value },
      { key: STORE_KEYS.certifiedOfShard(certified.shard), value },
      ...certifier.takeEnds().flatMap((end) => this.#handoverOperations(end)),
    ];
  }

  /** The handover by which an epoch began, canonical bytes; undefined where this node did not see the epoch before it certified. */
  handover(epoch: number): Uint8Array | undefined {
    return this.#options.salvage.get(STORE_KEYS.handover(epoch));
  }

  /** The proof by which an auditor of the old members comes to know the new ones, made of the end of their epoch. */
  #handoverOperations({ point, shard, note }: Certified): WriteOperation[] {
    const { ledger, store, salvage } = this.#options;
    const next = ledger.state.membershipAt(point.height + 1);
    const key = STORE_KEYS.handover(next.epoch);
    if (salvage.get(key) !== undefined) return [];
    const read = (name: string): Uint8Array | undefined => store.get(name);
    const index = point.size - 1;
    const seq = ledger.log.seqOf(shard, index);
    const proof = ledger.log.inclusionProof({ shard, index, size: point.size }, read);
    return [{ key, value: encodeHandover({ next, sealed: { entry: ledger.log.entry(seq, read), index, proof, checkpoint: note } }) }];
  }

  /** The first entry that a crash could still take back, and is told to nobody: the end of the log, but while a block is being written. */
  #endSeq(): number {
    const { ledger, certifier } = this.#options;
    if (certifier.newestHeight === ledger.tip.height) return ledger.log.nextSeq;
    const point = certifier.point(certifier.newestHeight);
    return point === undefined || point.size === 0 ? 0 : ledger.log.seqOf(point.shard, point.size - 1) + 1;
  }

  #certifiedSize(shard: string): number | undefined {
    const { certified } = this.#options.certifier;
    if (certified?.shard === shard) return certified.point.size;
    const stored = this.#options.store.get(STORE_KEYS.certifiedOfShard(shard));
    return stored === undefined ? undefined : readCertified(stored).point.size;
  }
}

/** height u64 ‖ size u64 ‖ root ‖ shard ‖ note ‖ proof, the last four behind their lengths. Written with every block, hence not as a text of texts. */
function encodeCertified({ point, note, shard, proof }: Certified): Uint8Array {
  return new ByteWriter().u64(point.height).u64(point.size).text(point.root).text(shard).text(note).bytes(proof).finish();
}

/** Reads what `certifiedOperations` wrote. @throws {QuorumgateError} STORAGE_CORRUPT */
export function readCertified(bytes: Uint8Array): Certified {
  try {
    const reader = new ByteReader(bytes);
    const point = { height: reader.u64(), size: reader.u64(), root: parseHash(reader.text(64)) };
    const certified = { point, shard: reader.text(256), note: reader.text(65_536), proof: reader.bytes(65_536) };
    reader.end();
    return certified;
  } catch (cause) {
    throw new QuorumgateError("STORAGE_CORRUPT", "the stored checkpoint does not read", { cause });
  }
}
