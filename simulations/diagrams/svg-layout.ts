import type { RunEvent } from "./events.ts";
import type { Flight } from "./flights.ts";
import { type TimeScale, timeScale } from "./time-scale.ts";

/** Who has a line, where it stands, and where a time is. All in pixels. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Where the lines begin and end. */
  readonly top: number;
  readonly bottom: number;
  readonly scale: TimeScale;
  /** The first and the last time that is shown. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly nodes: readonly string[];
  /** The place of a node's line, or that of the clients. */
  x(who: string): number;
  y(atMs: number): number;
  /** Where notes begin, right of all lines. */
  readonly notes: number;
}

/** Whose line is that of all clients. */
export const CLIENTS = "clients";

/** Left of the lines stand the times and the bars of faults. */
const LEFT = 190;
const NOTES_WIDTH = 420;
const COLUMN = { widest: 180, narrowest: 90, all: 1_100 };
const MARGIN = { names: 26, bottom: 30 };
/** Right of the last line stand the names of what that node sends, and only then the notes. */
const NAMES_WIDTH = 200;

/** The layout of the events that are shown. */
export function layoutOf(
  shown: readonly RunEvent[],
  flights: readonly Flight[],
  head: { readonly width: number; readonly height: number },
): Layout {
  const run = shown.find((event) => event.type === "run");
  const nodes = run?.type === "run" ? run.nodes.map(({ id }) => id) : [];
  const column = Math.max(COLUMN.narrowest, Math.min(COLUMN.widest, COLUMN.all / Math.max(1, nodes.length)));
  const times = shown.flatMap(({ type, atMs }) => (type === "run" || type === "end" ? [] : [atMs]));
  // Events come in the order of time.
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  const ends = flights.flatMap(({ endMs }) => (endMs !== undefined && endMs >= first && endMs <= last ? [endMs] : []));
  const scale = timeScale([...times, ...ends]);
  const top = head.height + MARGIN.names;
  const lines: readonly string[] = [CLIENTS, ...nodes];
  const x = (who: string): number => LEFT + column / 3 + column * Math.max(0, lines.indexOf(who));
  const notes = x(lines.at(-1) ?? CLIENTS) + NAMES_WIDTH;
  const bottom = top + scale.height + 8;
  const y = (atMs: number): number => top + scale.y(atMs);
  const size = { width: Math.ceil(Math.max(head.width, notes + NOTES_WIDTH)), height: Math.ceil(bottom + MARGIN.bottom) };
  return { ...size, top, bottom, scale, fromMs: first, toMs: last, nodes, x, y, notes };
}

/** A number without needless digits. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Text that an XML reader takes for text, in plain characters. */
export function xml(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, "?")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
