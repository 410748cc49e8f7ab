/** Blocks over which a leader's pace is measured. */
const MEASURED_BLOCKS = 8;
/** How many earlier leaders a leader is compared with. */
const REMEMBERED_VIEWS = 8;
/** Commands may wait this long under any leader. */
const WAIT_FREE_MS = 250;
/** What the first leader is compared with. */
const WAIT_EXPECTED_MS = 100;
/** A wait so many times an earlier leader's is slow. */
const WAIT_FACTOR = 4;
/** After a leader was doubted for its pace, none is for so long; doubled each time, up to the longest. */
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
 * Tells a slow leader from a heavy load. A leader is slow when commands wait several times as long as under an earlier leader and it orders less
 * than half as many: under a heavy load they wait long too, but much is ordered, and under a light one little is ordered, but soon. So a leader
 * that delays each block just below the view timer does not keep its place. Source: the rate rule of Clement et al. 2009 (Aardvark), section
 * 5.2, with waiting time beside throughput; the pause keeps a cluster that has become slow as a whole from changing leaders all the time.
 */
export class LeaderRate {
  #view = 0;
  #blocks: Measured[] = [];
  #earlier: Pace[] = [];
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
  }

  /** Whether the leader of the present view should be replaced for its pace. Asking counts as doing so. */
  doubts(nowUs: number): boolean {
    const pace = this.#pace();
    if (pace === undefined || nowUs < this.#notBeforeUs || !this.#isSlow(pace)) return false;
    if (nowUs > this.#notBeforeUs + PAUSE_MAX_MS * 1_000) this.#pauseMs = PAUSE_MS;
    this.#notBeforeUs = nowUs + this.#pauseMs * 1_000;
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MAX_MS);
    return true;
  }

  #isSlow(pace: Pace): boolean {
    const known = this.#earlier.length > 0;
    const expectedMs = known ? Math.min(...this.#earlier.map(({ waitMs }) => waitMs)) : WAIT_EXPECTED_MS;
    if (pace.waitMs <= Math.max(WAIT_FREE_MS, WAIT_FACTOR * expectedMs)) return false;
    return !known || 2 * pace.perSecond < Math.max(...this.#earlier.map(({ perSecond }) => perSecond));
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
    const pace = this.#pace();
    if (pace !== undefined) this.#earlier = [...this.#earlier, pace].slice(-REMEMBERED_VIEWS);
    this.#view = view;
    this.#blocks = [];
  }
}
