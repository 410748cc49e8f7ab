import { objectsOf, parseEntry } from "#audit";
import { LIMITS, type NodeId } from "#base";
import { partBytes, type StateSnapshot } from "#state";
import type { Parts } from "../assembly.ts";
import { STORE_KEYS } from "../keys.ts";
import type { LogRequestFrame } from "../peers/frames.ts";
import type { ReplicaOptions } from "../types.ts";
import { encodeOffer, type Offer, type ShardStart } from "./offer.ts";

/** A state that is held for others, with what is offered beside it. */
interface Held {
  readonly height: number;
  readonly sealSeq: number;
  readonly block: Uint8Array;
  readonly snapshot: StateSnapshot;
  readonly takenUs: number;
  usedUs: number;
  /** When each peer last asked about it. */
  readonly users: Map<NodeId, number>;
}

/** What a frame holds beside its offer. */
const FRAME_REST_BYTES = 16;

/** Gives out state and log to those who are too far behind for blocks (docs/protocols/state-transfer.md, O1 and O4). */
export class Supply {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #held = new Map<number, Held>();
  /** No other snapshot is taken until then. */
  #restUntilUs = 0;
  /** A height whose state is not the sealed one here. */
  #damaged: number | undefined;

  constructor(options: ReplicaOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** An offer for a peer that asked for blocks from this height on; undefined while there is none to make. */
  offerFor(peer: NodeId, fromHeight: number): Uint8Array | undefined {
    const held = this.#heldAbove(peer, fromHeight);
    const offer = held === undefined ? undefined : this.#offer(held, fromHeight);
    if (held === undefined || offer === undefined) return undefined;
    this.#use(held, peer);
    const bytes = encodeOffer(offer);
    if (bytes.length <= LIMITS.frameBytesMax - FRAME_REST_BYTES) return bytes;
    // Whoever needs so many handovers is set up anew with a newer genesis.
    this.#options.telemetry.log("warn", "no frame holds an offer", { peer, bytes: bytes.length });
    return undefined;
  }

  onStateRequest(from: NodeId, { height, path }: { readonly height: number; readonly path: Uint8Array }): void {
    const held = this.#held.get(height);
    if (held !== undefined) this.#use(held, from);
    const part = held?.snapshot.part(path, LIMITS.statePartBytesMax);
    const { serving, peers } = this.#parts;
    if (part !== undefined) serving.spend(from, partBytes(part));
    peers.send(from, { kind: "state-part", height, path, ...(part === undefined ? {} : { part }) });
  }

  /** Entries from a place on, within one shard and the bounds of a part, with the proof that they lead to the tree that is asked about. */
  onLogRequest(from: NodeId, { seq, last, size }: LogRequestFrame): void {
    const { ledger, peers } = this.#parts;
    const { log } = ledger;
    if (seq >= log.nextSeq || last < seq) return;
    const { shard, index } = log.locate(seq);
    if (size <= index || size > log.shardPoint(shard).size) return;
    const read = (key: string): Uint8Array | undefined => this.#options.store.get(key);
    const countMax = Math.min(size - index, last - seq + 1, LIMITS.logPartEntriesMax);
    const entries: Uint8Array[] = [];
    const objects: Uint8Array[] = [];
    let bytes = 0;
    while (entries.length < countMax && bytes <= LIMITS.syncBytesMax) {
      const entry = log.entry(seq + entries.length, read);
      const named = objectsOf(entry, read);
      entries.push(entry);
      objects.push(...named);
      bytes += named.reduce((sum, object) => sum + object.length, entry.length);
    }
    this.#parts.serving.spend(from, bytes);
    const proof = log.consistencyProof({ shard, from: index + entries.length, to: size }, read);
    peers.send(from, { kind: "log-part", seq, entries, proof, objects });
  }

  /** Drops what nobody asks about any more. */
  tidy(nowUs: number): void {
    for (const { height, usedUs } of this.#held.values()) {
      // A clock that was set back makes nothing older.
      if (Math.abs(nowUs - usedUs) > LIMITS.snapshotIdleMs * 1_000) this.#held.delete(height);
    }
  }

  #use(held: Held, peer: NodeId): void {
    const nowUs = this.#options.clock.nowUs();
    held.usedUs = nowUs;
    held.users.set(peer, nowUs);
  }

  /** A snapshot is dear to make: one that is held serves as long as it helps whoever asks. */
  #heldAbove(peer: NodeId, fromHeight: number): Held | undefined {
    const known = [...this.#held.values()].findLast(({ height }) => height >= fromHeight);
    return known ?? this.#take(peer, fromHeight);
  }

  #take(peer: NodeId, fromHeight: number): Held | undefined {
    const { ledger, certifier } = this.#parts;
    const { hasher, store, clock, telemetry } = this.#options;
    const newest = ledger.stable.stableAt(certifier.certifiedHeight);
    if (newest === undefined || newest.height < fromHeight || newest.height > certifier.certifiedHeight) return undefined;
    const block = store.get(STORE_KEYS.block(newest.height));
    const beganUs = clock.nowUs();
    if (block === undefined || newest.height === this.#damaged || this.#isResting(beganUs) || !this.#makeRoom(peer, beganUs))
      return undefined;
    const snapshot = ledger.stable.snapshot(newest.height, ledger.state, hasher);
    const nowUs = clock.nowUs();
    this.#restUntilUs = nowUs + Math.max(0, nowUs - beganUs) * LIMITS.snapshotRestFactor;
    if (!this.#isSealed(newest.seq, snapshot)) {
      // Values of then that a disk lost are in no other way missed: the next multiple has all of its own.
      this.#damaged = newest.height;
      telemetry.log("error", "state not held for others: it is not the sealed one", { height: newest.height });
      return undefined;
    }
    telemetry.log("info", "state held for others", { height: newest.height });
    const held = { height: newest.height, sealSeq: newest.seq, block, snapshot, takenUs: nowUs, usedUs: nowUs, users: new Map() };
    this.#held.set(newest.height, held);
    return held;
  }

  #isSealed(seq: number, { root }: StateSnapshot): boolean {
    const entry = this.#parts.ledger.log.entry(seq, (key) => this.#options.store.get(key));
    return parseEntry(entry).content["stateRoot"] === root;
  }

  /** Taking a snapshot stops this node: whoever asks for the newest each time gets a small part of its time. A clock that jumped stops it not for long. */
  #isResting(nowUs: number): boolean {
    const restUs = this.#restUntilUs - nowUs;
    return restUs > 0 && restUs <= LIMITS.snapshotRestMaxMs * 1_000;
  }

  /** Drops what nobody else is fetching, or what was held for long: one peer that wants the newest each time takes nothing from under another. */
  #makeRoom(peer: NodeId, nowUs: number): boolean {
    if (this.#held.size < LIMITS.snapshotsMax) return true;
    const free = [...this.#held.values()].filter(
      ({ takenUs, users }) =>
        Math.abs(nowUs - takenUs) > LIMITS.snapshotHeldMs * 1_000 ||
        [...users].every(([user, usedUs]) => user === peer || Math.abs(nowUs - usedUs) > LIMITS.snapshotInUseMs * 1_000),
    );
    const [oldest] = free.sort((left, right) => left.usedUs - right.usedUs);
    return oldest !== undefined && this.#held.delete(oldest.height);
  }

  #offer({ height, sealSeq, block }: Held, fromHeight: number): Offer | undefined {
    const { ledger, certifier } = this.#parts;
    const { certified } = certifier;
    const point = certified === undefined ? undefined : certifier.point(certified.point.height);
    const { shard, index } = ledger.log.locate(sealSeq);
    // Around the turn of a half year there is no certified tree with the seal in it: the next multiple has one.
    if (certified === undefined || point === undefined || point.shard !== shard || index >= point.size) return undefined;
    const read = (key: string): Uint8Array | undefined => this.#options.store.get(key);
    const handovers = this.#handovers(fromHeight, certified.point.height);
    if (handovers === undefined) return undefined;
    const proof = ledger.log.inclusionProof({ shard, index, size: point.size }, read);
    return {
      height,
      block,
      seal: { entry: ledger.log.entry(sealSeq, read), index, proof },
      certified: { point, cosignatures: certified.proof },
      handovers,
      starts: this.#starts(point),
    };
  }

  /** The files of the epochs that began after the one of the height; undefined while one is missing here. */
  #handovers(fromHeight: number, toHeight: number): Uint8Array[] | undefined {
    const { state } = this.#parts.ledger;
    const files: Uint8Array[] = [];
    for (let { epoch } = state.membershipAt(fromHeight); epoch < state.membershipAt(toHeight).epoch; epoch++) {
      const file = this.#parts.salvage.get(STORE_KEYS.handover(epoch + 1));
      if (file === undefined || files.length >= LIMITS.offerEpochsMax) return undefined;
      files.push(file);
    }
    return files;
  }

  /** The first entries of all shards but the first. */
  #starts(point: { readonly shard: string; readonly size: number }): ShardStart[] {
    const { log } = this.#parts.ledger;
    const read = (key: string): Uint8Array | undefined => this.#options.store.get(key);
    return log.shards
      .slice(1)
      .slice(-LIMITS.offerShardsMax)
      .map(({ shard, firstSeq, closed }) => {
        const size = shard === point.shard ? point.size : (closed?.size ?? 0);
        return { entry: log.entry(firstSeq, read), proof: log.inclusionProof({ shard, index: 0, size }, read) };
      });
  }
}
