import { handoverClaims, parseEntry, parseHandover, parseReceipt, policyOf } from "#audit";
import { equalBytes, type NodeId } from "#base";
import type { Parts } from "./assembly.ts";
import { STORE_KEYS } from "./keys.ts";
import type { ReplicaOptions } from "./types.ts";

const EMPTY = new Uint8Array(0);

/**
 * Sees to it that this node holds the handover of every epoch that has begun. Who sees an epoch's last height certified writes it from its own
 * log; who was away then, or replays the blocks later, asks its peers, one at a time.
 */
export class Handovers {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  /** Handovers of all epochs up to this one are stored. */
  #heldUpTo = 0;
  #turn = 0;
  #asked: { readonly peer: NodeId; readonly epoch: number } | undefined;

  constructor(options: ReplicaOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Asks the next peer for the first handover that is missing; one question at a time, and every call asks anew. */
  ask(): void {
    const epoch = this.#missing();
    const peers = this.#parts.peers.connected();
    const peer = peers[this.#turn % Math.max(peers.length, 1)];
    this.#asked = undefined;
    if (epoch === undefined || peer === undefined) return;
    this.#turn += 1;
    this.#asked = { peer, epoch };
    this.#parts.peers.send(peer, { kind: "handover-request", epoch });
  }

  onRequest(from: NodeId, epoch: number): void {
    const file = this.#parts.salvage.get(STORE_KEYS.handover(epoch)) ?? EMPTY;
    this.#parts.peers.send(from, { kind: "handover", epoch, file });
  }

  /** The answer to the question under way; others are dropped. */
  onAnswer(from: NodeId, { epoch, file }: { readonly epoch: number; readonly file: Uint8Array }): void {
    if (this.#asked?.peer !== from || this.#asked.epoch !== epoch) return;
    this.#asked = undefined;
    if (file.length === 0) return;
    const claims = this.#claims(epoch, file);
    if (claims === undefined) return this.#parts.peers.misbehaved(from, "VERIFY_ALTERED");
    this.#options.verifier.verify(claims, (verdicts) => {
      if (!verdicts.every(Boolean)) return this.#parts.peers.misbehaved(from, "VERIFY_ALTERED");
      this.#parts.writeAhead.append([{ key: STORE_KEYS.handover(epoch), value: file }], () => this.ask());
    });
  }

  /** The first epoch whose handover is not here although one of its own heights is certified: nobody writes it from that height on. */
  #missing(): number | undefined {
    const { certifier, ledger } = this.#parts;
    for (let epoch = this.#heldUpTo + 1; ; epoch++) {
      const record = ledger.state.epoch(epoch);
      if (record === undefined || record.firstHeight > certifier.certifiedHeight) return undefined;
      if (this.#parts.salvage.get(STORE_KEYS.handover(epoch)) === undefined) return epoch;
      this.#heldUpTo = epoch;
    }
  }

  /** Signatures to verify; undefined when the file is not the handover between the members that the state names, or not of this node's log. */
  #claims(epoch: number, file: Uint8Array): ReturnType<typeof handoverClaims> {
    const { ledger } = this.#parts;
    const [before, begun] = [ledger.state.epoch(epoch - 1), ledger.state.epoch(epoch)];
    if (before === undefined || begun === undefined) return undefined;
    const from = policyOf({ genesis: ledger.genesis, cluster: ledger.cluster, membership: before.membership });
    const claims = handoverClaims(file, { from, next: begun.membership }, this.#options.hasher);
    return claims !== undefined && this.#isOfOwnLog(parseHandover(file, from).receipt) ? claims : undefined;
  }

  /** Keys of members that left may be stolen and sign another end of their epoch: only the end of the log that this node has is passed on. */
  #isOfOwnLog(receipt: string): boolean {
    const { ledger } = this.#parts;
    const read = (key: string): Uint8Array | undefined => this.#options.store.get(key);
    const { entry, index, proof } = parseReceipt(receipt);
    const { seq } = parseEntry(entry);
    if (seq >= ledger.log.nextSeq || !equalBytes(ledger.log.entry(seq, read), entry)) return false;
    const place = ledger.log.locate(seq);
    if (place.index !== index) return false;
    const path = ledger.log.inclusionProof({ ...place, size: index + 1 }, read);
    return path.length === proof.length && path.every((hash, at) => equalBytes(hash, proof[at] ?? EMPTY));
  }
}
