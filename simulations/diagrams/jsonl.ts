import type { RunEvent } from "./events.ts";

/** One event on each line, as JSON; the fields are those of RunEvent. */
export function toJsonLines(events: readonly RunEvent[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}
