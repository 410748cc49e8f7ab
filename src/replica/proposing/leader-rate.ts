/** Blocks over which a leader's pace is measured. */
const MEASURED_BLOCKS = 8;
/** How many earlier leaders a leader is compared with. */
const REMEMBERED_VIEWS = 8;
/** Commands may wait this long under any leader: a disk that is slow for a moment costs as much. */
const WAIT_FREE_MS = 100;
/** And so long under one that there is nothing to compare with. */
const WAIT_UNKNOWN_MS = 400;
/** A wait so many times the best is slow: callers who wait for answers before they ask again get half as many then. */
const WAIT_FACTOR = 2;
/** After a leader was doubted for its pace, none is for so long; doubled each time that the next one was no faster, up to the longest. */
const PAUSE_MS = 2_000;
const PAUSE_MAX_MS = 64_000;

/** How fast a leader was. */
interface Pace {
  /** Median over blocks of how long the command waited that waited longest. */
  readonly waitMs: number;
  readonly perSecond: number;
}

interface Measured {
  readonly atUs: number;
  readonly commands: number;
  readonly waitMs: number;
}

/**
 * Tells a slow leader from a heavy load. A leader is slow when commands wait twice as long as under an earlier leader, or as in its own better days, and
 * it orders less than half as many: under a heavy load they wait long too, but much is ordered, and under a light one little is ordered, but soon.
 * So a leader that delays each block just below the view timer does not keep its place, nor one that slows down little by little. Source: the rate rule of Clement et al. 2009 (Aardvark), section
 * 5.2, with waiting time beside throughput; the pause keeps a cluster that has become slow as a whole from changing leaders all the time.
 */
export class LeaderRate {
  #view = 0;
  #blocks: Measured[] = [];
  /** The best of each earlier view, and of the present one. */
  #earlier: Pace[] = [];
  #best: Pace | undefined;
  #count = 0;
  /** The leader that was doubted last. */
  #doubted: Pace | undefined;
  #notBeforeUs = 0;
  #pauseMs = PAUSE_MS;

  /**
   * A decided block that this node had commands of.
   * @param block.waitedUs how long the command waited here that waited longest
   */
  onBlock(block: { readonly view: number; readonly nowUs: number; readonly commands: number; readonly waitedUs: number }): void {
    if (block.view !== this.#view) this.#enter(block.view);
    this.#blocks.push({ atUs: block.nowUs, commands: block.commands, waitMs: block.waitedUs / 1_000 });
    if (this.#blocks.length > MEASURED_BLOCKS) this.#blocks.shift();
    this.#count += 1;
    if (this.#count % MEASURED_BLOCKS === 0) this.#note();
  }

  /** Whether the leader of the present view should be replaced for its pace. Asking counts as doing so. */
  doubts(nowUs: number): boolean {
    const pace = this.#pace();
    if (pace === undefined || nowUs < this.#notBeforeUs || !this.#isSlow(pace)) return false;
    if (nowUs > this.#notBeforeUs + PAUSE_MAX_MS * 1_000) this.#pauseMs = PAUSE_MS;
    this.#notBeforeUs = nowUs + this.#pauseMs * 1_000;
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MAX_MS);
    this.#doubted = pace;
    return true;
  }

  /** Keeps the best of the present view; a leader twice as fast as the one before it shows that the change was worth it. */
  #note(): void {
    const pace = this.#pace();
    if (pace === undefined) return;
    const best = this.#best ?? pace;
    this.#best = { waitMs: Math.min(best.waitMs, pace.waitMs), perSecond: Math.max(best.perSecond, pace.perSecond) };
    if (this.#doubted === undefined || pace.perSecond < 2 * this.#doubted.perSecond) return;
    this.#doubted = undefined;
    this.#pauseMs = PAUSE_MS;
  }

  #isSlow(pace: Pace): boolean {
    const known = this.#best === undefined ? this.#earlier : [...this.#earlier, this.#best];
    // A first leader has nothing but itself to be compared with.
    if (this.#earlier.length === 0 && pace.waitMs > WAIT_UNKNOWN_MS) return true;
    if (pace.waitMs <= Math.max(WAIT_FREE_MS, WAIT_FACTOR * Math.min(...known.map(({ waitMs }) => waitMs)))) return false;
    return 2 * pace.perSecond < Math.max(...known.map(({ perSecond }) => perSecond));
  }

  #pace(): Pace | undefined {
    const [first] = this.#blocks;
    const last = this.#blocks.at(-1);
    if (first === undefined || last === undefined || this.#blocks.length < MEASURED_BLOCKS) return undefined;
    const waits = this.#blocks.map(({ waitMs }) => waitMs).sort((a, b) => a - b);
    const commands = this.#blocks.slice(1).reduce((sum, block) => sum + block.commands, 0);
    const seconds = Math.max(1, last.atUs - first.atUs) / 1_000_000;
    return { waitMs: waits[MEASURED_BLOCKS / 2] ?? 0, perSecond: commands / seconds };
  }

  #enter(view: number): void {
    if (this.#best !== undefined) this.#earlier = [...this.#earlier, this.#best].slice(-REMEMBERED_VIEWS);
    this.#view = view;
    this.#blocks = [];
    this.#best = undefined;
    this.#count = 0;
  }
}
