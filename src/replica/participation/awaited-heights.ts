import type { NodeId } from "#base";

/** After how long a member that waited may have the others hurry again: what it claims costs them empty blocks. */
const HURRY_EVERY_US = 60_000_000;

/** What is known where a claim arrives. */
interface Here {
  readonly tipHeight: number;
  /** Heights in flight, by genesis. */
  readonly window: number;
  readonly nowUs: number;
}

/**
 * Members without memory of their votes that wait for their floor to be certified (vote guard, rule G3). An idle cluster would keep them waiting for
 * 2W + 1 heartbeats; while one is known to wait, heartbeats follow each other sooner. A member that claims it for nothing gets no more than the
 * blocks of one floor, once in a while.
 */
export class AwaitedHeights {
  readonly #claims = new Map<NodeId, { readonly floor: number; readonly sinceUs: number }>();

  /** A member says that it waits for a height, or for none (0). */
  note(from: NodeId, floor: number, { tipHeight, window, nowUs }: Here): void {
    const known = this.#claims.get(from);
    const isPlausible = floor > tipHeight && floor <= tipHeight + 2 * window + 1;
    if (!isPlausible || (known !== undefined && nowUs - known.sinceUs < HURRY_EVERY_US && nowUs >= known.sinceUs)) return;
    this.#claims.set(from, { floor, sinceUs: nowUs });
  }

  /** Whether somebody still waits for a height above the tip. */
  isAwaited(tipHeight: number): boolean {
    for (const { floor } of this.#claims.values()) if (floor > tipHeight) return true;
    return false;
  }
}
