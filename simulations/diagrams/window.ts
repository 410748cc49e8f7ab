import type { RunEvent } from "./events.ts";

/** A part of a run, virtual milliseconds, both ends included; an absent end is that of the run. */
export interface TimeWindow {
  readonly fromMs?: number;
  readonly toMs?: number;
}

/** The events of a window; how the run began and ended is always among them. */
export function inWindow(events: readonly RunEvent[], { fromMs = 0, toMs = Number.POSITIVE_INFINITY }: TimeWindow): readonly RunEvent[] {
  return events.filter(({ type, atMs }) => type === "run" || type === "end" || (atMs >= fromMs && atMs <= toMs));
}
