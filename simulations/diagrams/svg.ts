import type { RunEvent } from "./events.ts";
import { flightsOf } from "./flights.ts";
import { drawAnswers, drawFlights } from "./svg-flights.ts";
import { headOf, STYLE } from "./svg-head.ts";
import { layoutOf } from "./svg-layout.ts";
import { drawAxis, drawFaults, drawMarks, drawNodes } from "./svg-lines.ts";
import { inWindow, type TimeWindow } from "./window.ts";

/**
 * A run as a space-time diagram: time goes down, each node has a line, and a message leads from where it was sent to where it arrived. One SVG file
 * that needs nothing else and runs nothing.
 */
export function toSvg(events: readonly RunEvent[], window: TimeWindow = {}): string {
  const shown = inWindow(events, window);
  const flights = flightsOf(events).filter(
    ({ sentMs, endMs = sentMs }) => endMs >= (window.fromMs ?? 0) && sentMs <= (window.toMs ?? endMs),
  );
  const head = headOf(events, window, flights);
  const layout = layoutOf(shown, flights, head);
  const { width, height } = layout;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="Helvetica, Arial, sans-serif" font-size="11">`,
    `<style>${STYLE}</style>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...head.drawn,
    ...drawAxis(layout),
    ...drawFaults(events, layout),
    ...drawNodes(events, layout),
    ...drawFlights(flights, layout),
    ...drawAnswers(shown, layout),
    ...drawMarks(shown, layout),
    "</svg>\n",
  ].join("\n");
}
