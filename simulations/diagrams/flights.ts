import type { NodeId } from "#base";
import type { FrameEvent, RunEvent } from "./events.ts";

/** One copy of a frame on its way, from end to end. */
export interface Flight {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly name: string;
  readonly about: string;
  readonly sentMs: number;
  /** When it arrived or was lost; absent for what was still under way when its receiver died, or the run ended. */
  readonly endMs?: number;
  readonly end: "received" | "dropped" | "under way";
  readonly why?: string;
}

type Timed = FrameEvent & { readonly atMs: number };

/** All copies of all frames, in the order in which they were sent. */
export function flightsOf(events: readonly RunEvent[]): readonly Flight[] {
  const sent = new Map<number, Timed>();
  const ends = new Map<number, Timed[]>();
  for (const event of events) {
    if (event.type === "sent") sent.set(event.frame, event);
    else if (event.type === "received" || event.type === "dropped") ends.set(event.frame, [...(ends.get(event.frame) ?? []), event]);
  }
  return [...sent.values()].flatMap(({ frame, from, to, name, about, atMs: sentMs }): Flight[] => {
    const copies = ends.get(frame) ?? [];
    if (copies.length === 0) return [{ from, to, name, about, sentMs, end: "under way" }];
    return copies.map((end) => ({
      from,
      to,
      name: end.name,
      about: end.about,
      sentMs,
      endMs: end.atMs,
      end: end.type === "dropped" ? "dropped" : "received",
      ...(end.why === undefined ? {} : { why: end.why }),
    }));
  });
}
