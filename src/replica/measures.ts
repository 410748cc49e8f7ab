import type { Telemetry } from "#base";
import type { BlockEvent } from "./types.ts";

const OUTCOMES = ["applied", "allowed", "denied", "refused"] as const;
/** Own cosignatures whose quorum is awaited: what was never certified is forgotten after so many. */
const COSIGNED_MAX = 64;

/** Where a node stands, for the gauges. */
export interface Standing {
  readonly height: number;
  readonly epoch: number;
  readonly view: number;
  readonly waiting: number;
  /** Weight of the members that vote, itself included, as far as the node knows. */
  readonly votingWeight: number;
}

/**
 * What a replica measures of itself. Durations come from the process's own monotonic clock and go nowhere but into telemetry: nothing that a node
 * decides rests on them.
 */
export class Measures {
  readonly #telemetry: Telemetry;
  readonly #cosignedMs = new Map<number, number>();
  #place = { epoch: 0, view: 0 };

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
  }

  /** Runs something and measures how long it took. */
  timed<T>(metric: "quorumgate_apply_seconds", run: () => T): T {
    const begunMs = performance.now();
    const value = run();
    this.#telemetry.observe(metric, secondsSince(begunMs));
    return value;
  }

  /** A callback that measures how long it was until it was called with what counts as an answer. */
  until<A>(
    metric: "quorumgate_submit_seconds",
    about: { readonly done: (answer: A) => void; isAnswer(answer: A): boolean },
  ): (answer: A) => void {
    const begunMs = performance.now();
    return (answer) => {
      if (about.isAnswer(answer)) this.#telemetry.observe(metric, secondsSince(begunMs));
      about.done(answer);
    };
  }

  onBlock({ results, timeUs, view, height }: BlockEvent, at: { readonly nowUs: number; readonly epoch: number }): void {
    const telemetry = this.#telemetry;
    telemetry.count("quorumgate_blocks_committed_total");
    telemetry.observe("quorumgate_block_commands", results.length);
    for (const outcome of OUTCOMES) {
      const count = results.filter((result) => result.outcome === outcome).length;
      if (count === 0) continue;
      telemetry.count("quorumgate_commands_total", count, { outcome });
      if (outcome === "allowed" || outcome === "denied") telemetry.count("quorumgate_decisions_total", count, { decision: outcome });
    }
    telemetry.observe("quorumgate_commit_seconds", Math.max(0, at.nowUs - timeUs) / 1_000_000);
    telemetry.gauge("quorumgate_height", height);
    this.#onView(at.epoch, view);
  }

  /** Views begin again at 0 in each epoch. */
  #onView(epoch: number, view: number): void {
    const before = this.#place.epoch === epoch ? this.#place.view : 0;
    if (view > before) this.#telemetry.count("quorumgate_view_changes_total", view - before);
    this.#place = { epoch, view };
  }

  onCosigned(height: number): void {
    this.#cosignedMs.set(height, performance.now());
    this.#cosignedMs.delete(height - COSIGNED_MAX);
  }

  onCertified(height: number): void {
    const begunMs = this.#cosignedMs.get(height);
    if (begunMs !== undefined) this.#telemetry.observe("quorumgate_cosign_seconds", secondsSince(begunMs));
    for (const cosigned of this.#cosignedMs.keys()) if (cosigned <= height) this.#cosignedMs.delete(cosigned);
    this.#telemetry.gauge("quorumgate_certified_height", height);
  }

  /** Blocks that a peer sent when this node was behind. */
  onSynced(blocks: number): void {
    this.#telemetry.count("quorumgate_sync_blocks_total", blocks);
  }

  onTick({ height, epoch, view, waiting, votingWeight }: Standing): void {
    this.#telemetry.gauge("quorumgate_height", height);
    this.#telemetry.gauge("quorumgate_epoch", epoch);
    this.#telemetry.gauge("quorumgate_view", view);
    this.#telemetry.gauge("quorumgate_mempool_commands", waiting);
    this.#telemetry.gauge("quorumgate_voting_weight", votingWeight);
  }
}

function secondsSince(begunMs: number): number {
  return (performance.now() - begunMs) / 1_000;
}
