/** Places of times on paper: what happens close together keeps its proportions, and long silences are cut short. */
export interface TimeScale {
  /** Distance from the top, pixels. */
  y(atMs: number): number;
  readonly height: number;
  /** Silences that were cut short, by their place. */
  readonly cuts: readonly { readonly y: number; readonly ms: number }[];
  /** Times that are named at the side. */
  readonly ticks: readonly { readonly y: number; readonly atMs: number }[];
}

/** A silence longer than this is cut short to it. */
const SILENCE_MS = 2.5;
/** Pixels that a millisecond gets at most, and the height that a whole drawing should not pass. */
const PIXELS_PER_MS = 26;
const HEIGHT_MAX = 24_000;
const TICK_PIXELS = 60;

/** The scale of these times. */
export function timeScale(times: readonly number[]): TimeScale {
  const sorted = [...new Set(times)].sort((a, b) => a - b);
  const gaps = sorted.map((atMs, index) => Math.min(SILENCE_MS, atMs - (sorted[index - 1] ?? atMs)));
  const lengthMs = gaps.reduce((sum, gap) => sum + gap, 0);
  const pixels = Math.min(PIXELS_PER_MS, HEIGHT_MAX / Math.max(1, lengthMs));
  const places = new Map<number, number>();
  const cuts: { y: number; ms: number }[] = [];
  const ticks: { y: number; atMs: number }[] = [];
  let y = 0;
  for (const [index, atMs] of sorted.entries()) {
    const silence = atMs - (sorted[index - 1] ?? atMs);
    if (silence > SILENCE_MS) cuts.push({ y: y + (SILENCE_MS * pixels) / 2, ms: silence });
    y += (gaps[index] ?? 0) * pixels;
    places.set(atMs, y);
    const lastTick = ticks.at(-1);
    if (lastTick === undefined || silence > SILENCE_MS || y - lastTick.y >= TICK_PIXELS) ticks.push({ y, atMs });
  }
  return { y: (atMs) => places.get(atMs) ?? placeBetween(sorted, places, atMs), height: y, cuts, ticks };
}

/** A time at which nothing of the drawing happens stands between its neighbours. */
function placeBetween(sorted: readonly number[], places: ReadonlyMap<number, number>, atMs: number): number {
  const before = sorted.findLast((time) => time <= atMs);
  const after = sorted.find((time) => time >= atMs);
  if (before === undefined || after === undefined) return places.get(before ?? after ?? 0) ?? 0;
  const [top, bottom] = [places.get(before) ?? 0, places.get(after) ?? 0];
  return top + ((bottom - top) * (atMs - before)) / Math.max(1e-9, after - before);
}
