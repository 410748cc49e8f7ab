import { errorCode, type Hash } from "#base";
import type { RestoredLog } from "#consensus";
import type { Parts } from "../assembly.ts";
import { ownFault } from "../core-driver.ts";
import type { Epochs } from "../epochs.ts";
import type { Participation } from "../participation/participation.ts";
import { loadRecords } from "../participation/startup.ts";
import type { PeerProtocol } from "../peers/peer-protocol.ts";
import type { Proposer } from "../proposing/proposer.ts";
import type { OrderedRecord, ReplicaOptions } from "../types.ts";
import type { Fetched } from "./transfer.ts";

/** Who has to hear of a state that was put in the place of the present one. */
export interface InstallerHandlers {
  readonly peers: PeerProtocol;
  readonly proposer: Proposer;
  readonly participation: Participation;
  readonly epochs: Epochs;
  /** True once the node stopped or halted: nothing goes on, and the store may be closed. */
  isOver(): boolean;
  halt(reason: string): void;
}

const NOTHING: RestoredLog = { records: [], guard: [] };

/** Puts a fetched state and log in the place of the present ones, and goes on from there as after a restart (docs/protocols/state-transfer.md, I1 to I4). */
export class Installer {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #handlers: InstallerHandlers;

  constructor(options: ReplicaOptions, parts: Parts, handlers: InstallerHandlers) {
    this.#options = options;
    this.#parts = parts;
    this.#handlers = handlers;
  }

  install(fetched: Fetched): void {
    const { driver, ledger, writeAhead } = this.#parts;
    const { height } = fetched.offer.tip;
    // Another block may have come while the last part was written.
    const fromHeight = ledger.tip.height;
    if (height <= fromHeight) return this.#parts.catchUp.resume();
    driver.suspend();
    let operations: ReturnType<typeof ledger.install>;
    try {
      operations = ledger.install(fetched.offer, fetched);
    } catch (error) {
      return this.#handlers.halt(`a state that a quorum certified does not read: ${errorCode(error)}`);
    }
    return writeAhead.append([...operations, ...driver.expired(height)], () => this.#recall(fetched, fromHeight));
  }

  /** What this node promised in the epoch still binds it; of an old copy of its folder nothing is taken for memory. */
  #recall(fetched: Fetched, fromHeight: number): void {
    const { ledger, guardCurrent } = this.#parts;
    const isMemory = guardCurrent || this.#handlers.participation.above !== undefined;
    if (!isMemory) return this.#resume(fetched, fromHeight, NOTHING);
    return loadRecords(this.#options.store, ledger.membership.epoch, (error, restored) => {
      if (this.#handlers.isOver()) return undefined;
      if (error !== undefined || restored === undefined) return this.#handlers.halt("the disk failed: the core's records cannot be read");
      return this.#resume(fetched, fromHeight, restored);
    });
  }

  /** Nobody catches what is thrown in the callback of a read: it is this node's own fault, as in a step of the core. */
  #resume(fetched: Fetched, fromHeight: number, restored: RestoredLog): void {
    try {
      this.#goOn(fetched, fromHeight, restored);
    } catch (cause) {
      this.#handlers.halt(ownFault(cause));
    }
  }

  #goOn({ offer, adoption }: Fetched, fromHeight: number, restored: RestoredLog): void {
    const { driver, certifier, reads, catchUp, newCore } = this.#parts;
    const { participation, epochs, proposer, peers } = this.#handlers;
    const { height } = offer.tip;
    driver.resume(newCore(restored), restored.records);
    // As at a start: it knows where its epoch ends before it votes.
    epochs.begin();
    // The floor that it had, and no other: whoever forgot nothing needs nobody to tell it what it promised.
    if (participation.isParticipating) driver.step({ type: "participate", above: participation.above ?? 0 });
    this.#dropOrdered(height);
    proposer.onDecided(height, 0);
    proposer.tellAgain();
    for (const { height: at, point } of adoption.points) certifier.addPoint(at, point);
    peers.cosign(height);
    reads.proceed();
    this.#options.telemetry.log("info", "state installed", { height });
    this.#options.events?.onInstalled?.(offer.tip, fromHeight);
    catchUp.resume();
  }

  /** Commands that the skipped blocks ordered wait no more; who asked for them is answered from the log. */
  #dropOrdered(height: number): void {
    const { mempool, ledger, waiters, watch } = this.#parts;
    const answered: OrderedRecord[] = [];
    for (const { signed } of mempool.all()) {
      if (!ledger.wasOrdered(signed)) continue;
      mempool.remove(signed.hash);
      watch.forget(signed.hash);
    }
    for (const command of waiters.commands()) answered.push(...this.#recordOf(command));
    waiters.onApplied(height, answered);
  }

  #recordOf(command: Hash): OrderedRecord[] {
    const record = this.#parts.ledger.find(command);
    return record === undefined ? [] : [record];
  }
}
