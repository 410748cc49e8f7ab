import type { RunEvent } from "./events.ts";
import type { Flight } from "./flights.ts";
import { familyOf } from "./palette.ts";
import { crossAt } from "./svg-head.ts";
import { CLIENTS, type Layout, px, xml } from "./svg-layout.ts";
import { describeIntent, describeSeen } from "./transcript.ts";

/** How far a message is drawn that is lost as it is sent, as a part of its way. */
const LOST_AT = 0.4;
/** Between two texts of one line. */
const TEXT_PIXELS = 10;

/** So many that their colour alone has to name them; commands stand beside their questions. */
const UNNAMED: ReadonlySet<string> = new Set(["tip", "commands"]);

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Messages as arrows; what is lost ends in a cross. */
export function drawFlights(flights: readonly Flight[], layout: Layout): string[] {
  const lastText = new Map<string, number>();
  const said = new Set<string>();
  return flights.flatMap((flight) => {
    const start = { x: layout.x(flight.from), y: layout.y(flight.sentMs) };
    const drawn = drawFlight(flight, start, layout);
    // A message to several nodes is named once, where there is room.
    const saying = `${flight.from} ${flight.sentMs} ${flight.about}`;
    const hasRoom = start.y - (lastText.get(flight.from) ?? Number.NEGATIVE_INFINITY) >= TEXT_PIXELS;
    if (said.has(saying) || !hasRoom || UNNAMED.has(flight.name)) return drawn;
    said.add(saying);
    lastText.set(flight.from, start.y);
    return [...drawn, `<text x="${px(start.x + 7)}" y="${px(start.y - 3)}" class="small">${xml(flight.about)}</text>`];
  });
}

function drawFlight(flight: Flight, start: Point, layout: Layout): string[] {
  const { id } = familyOf(flight.name);
  const whole = { x: layout.x(flight.to), y: layout.y(flight.endMs ?? flight.sentMs) };
  const title = `<title>${xml(titleOf(flight))}</title>`;
  if (flight.end === "received")
    return [`<path class="message ${id}" d="${arrow(start, whole)}">${title}</path>`, drawTip(start, whole, `${id}-tip`)];
  const isStub = flight.endMs === undefined || flight.endMs === flight.sentMs;
  const end = isStub
    ? { x: start.x + (whole.x - start.x) * LOST_AT, y: start.y + 6 }
    : { x: whole.x - Math.sign(whole.x - start.x) * 10, y: whole.y };
  return [`<path class="message lost ${id}" d="${arrow(start, end)}">${title}</path>`, crossAt(end.x, end.y)];
}

function titleOf({ about, from, to, sentMs, endMs, end, why }: Flight): string {
  const fate =
    end === "dropped" ? `lost at ${endMs?.toFixed(3)} (${why})` : end === "received" ? `received at ${endMs?.toFixed(3)}` : "never arrives";
  return `${about}: ${from} to ${to}, sent at ${sentMs.toFixed(3)}, ${fate}`;
}

function arrow(start: Point, end: Point): string {
  return `M${px(start.x)} ${px(start.y)}L${px(end.x)} ${px(end.y)}`;
}

/** The head of an arrow. */
function drawTip(start: Point, end: Point, className: string): string {
  const length = Math.hypot(end.x - start.x, end.y - start.y);
  if (length === 0) return "";
  const [ux, uy] = [(end.x - start.x) / length, (end.y - start.y) / length];
  const [bx, by] = [end.x - ux * 8, end.y - uy * 8];
  return `<path class="${className}" d="M${px(end.x)} ${px(end.y)}L${px(bx - uy * 3)} ${px(by + ux * 3)}L${px(bx + uy * 3)} ${px(by - ux * 3)}z"/>`;
}

/** What a client asks or hears; undefined for any other event. */
function saidBy(
  event: RunEvent,
): { readonly node: string; readonly text: string; readonly isQuestion: boolean; readonly isGood: boolean } | undefined {
  switch (event.type) {
    case "asked":
      return { node: event.node, text: describeIntent(event.intent, event.command), isQuestion: true, isGood: true };
    case "answered": {
      const isGood = event.outcome === "allowed" || event.outcome === "applied";
      return { node: event.node, text: `${event.outcome ?? event.answer} ${event.command.slice(0, 8)}`, isQuestion: false, isGood };
    }
    case "read":
      return { node: event.node, text: `read ${event.service}`, isQuestion: true, isGood: true };
    case "shown":
      return { node: event.node, text: describeSeen(event.seen).replace(/:.*/, ""), isQuestion: false, isGood: event.seen !== undefined };
    default:
      return undefined;
  }
}

/** What clients ask and hear. */
export function drawAnswers(shown: readonly RunEvent[], layout: Layout): string[] {
  const last = { question: Number.NEGATIVE_INFINITY, answer: Number.NEGATIVE_INFINITY };
  return shown.flatMap((event) => {
    const said = saidBy(event);
    if (said === undefined) return [];
    const { text, isQuestion, isGood } = said;
    const y = layout.y(event.atMs);
    const [client, node] = [
      { x: layout.x(CLIENTS), y },
      { x: layout.x(said.node), y },
    ];
    const [start, end] = isQuestion ? [client, node] : [node, client];
    // Questions stand above their arrow and answers below; of several at once all but the first stand at their nodes.
    const side = isQuestion ? "question" : "answer";
    const isFree = y - last[side] >= TEXT_PIXELS;
    if (isFree) last[side] = y;
    const at = { x: (isFree ? client.x : node.x) + 6, y: isQuestion ? y - 3 : y + 9 };
    const colour = isQuestion ? "#1f2328" : isGood ? "#1a7f37" : "#9a6700";
    return [
      `<path class="message command" d="${arrow(start, end)}"/>`,
      drawTip(start, end, "command-tip"),
      `<text x="${px(at.x)}" y="${px(at.y)}" font-size="9" fill="${colour}">${xml(text)}</text>`,
    ];
  });
}
