import type { RunEvent } from "./events.ts";
import { crossAt } from "./svg-head.ts";
import { CLIENTS, type Layout, px, xml } from "./svg-layout.ts";
import { describeFault, viewWordOf } from "./transcript.ts";

const NOTE_PIXELS = 13;
const FAULT_LANE = { left: 92, width: 7, gap: 3, lanes: 7 };

/** Times at the side, and where silences are cut short. */
export function drawAxis({ scale, top, notes }: Layout): string[] {
  const ticks = scale.ticks.map(({ y, atMs }) => `<text x="84" y="${px(top + y + 4)}" text-anchor="end">${atMs.toFixed(1)} ms</text>`);
  const cuts = scale.cuts.map(({ y, ms }) => {
    const at = px(top + y);
    return `<line x1="92" y1="${at}" x2="${px(notes)}" y2="${at}" class="cut"/><text x="${px(notes)}" y="${px(top + y + 4)}" class="small">${ms.toFixed(0)} ms of silence</text>`;
  });
  return [...ticks, ...cuts];
}

/** A fault with the time that it lasts, and the nodes that it is about. */
export function drawFaults(events: readonly RunEvent[], layout: Layout): string[] {
  const until: number[] = [];
  const healedMs = events.find((event) => event.type === "phase")?.atMs ?? Number.POSITIVE_INFINITY;
  return events.flatMap((event) => {
    if (event.type !== "fault") return [];
    const { fault, atMs } = event;
    const endMs = Math.min(healedMs, atMs + (fault.forMs ?? fault.downMs ?? 0));
    const found = until.findIndex((time) => time < atMs);
    const lane = (found < 0 ? until.length : found) % FAULT_LANE.lanes;
    until[lane] = endMs;
    if (endMs < layout.fromMs || atMs > layout.toMs) return [];
    const [top, bottom] = [layout.y(atMs), Math.max(layout.y(endMs), layout.y(atMs) + 3)];
    const left = FAULT_LANE.left + lane * (FAULT_LANE.width + FAULT_LANE.gap);
    const box = (x: number, width: number, className: string): string =>
      `<rect x="${px(x)}" y="${px(top)}" width="${width}" height="${px(bottom - top)}" class="${className}"><title>${xml(describeFault(fault))}</title></rect>`;
    const about = [fault.node, fault.from, fault.to, ...(fault.side ?? [])].flatMap((index) => layout.nodes[index ?? -1] ?? []);
    return [box(left, FAULT_LANE.width, "faultbar"), ...about.map((node) => box(layout.x(node) - 7, 14, "band"))];
  });
}

/** The line of each node, with the times at which it is down or halted. */
export function drawNodes(events: readonly RunEvent[], layout: Layout): string[] {
  const run = events.find((event) => event.type === "run");
  const nodes = run?.type === "run" ? run.nodes : [];
  const names = nodes.map(({ id, weight, lies }) => {
    const about = [weight === 1 ? "" : `weight ${weight}`, ...lies].filter((word) => word !== "").join(", ");
    const label = `<text x="${px(layout.x(id))}" y="${layout.top - 18}" text-anchor="middle" class="name${lies.length > 0 ? " bad" : ""}">${id}</text>`;
    return `${label}<text x="${px(layout.x(id))}" y="${layout.top - 7}" text-anchor="middle" class="small">${xml(about)}</text>`;
  });
  const clients = `<text x="${px(layout.x(CLIENTS))}" y="${layout.top - 18}" text-anchor="middle" class="name">${CLIENTS}</text>`;
  const lives = nodes.flatMap(({ id }) => drawLife(id, events, layout));
  return [clients, ...names, segment(layout, CLIENTS, { from: layout.top, to: layout.bottom, className: "down" }), ...lives];
}

function drawLife(node: string, events: readonly RunEvent[], layout: Layout): string[] {
  const drawn: string[] = [];
  let [from, className] = [layout.top, "down"];
  for (const event of events) {
    if (event.type !== "started" && event.type !== "killed" && event.type !== "halted") continue;
    if (event.node !== node) continue;
    const y = layout.y(event.atMs);
    drawn.push(segment(layout, node, { from, to: y, className }));
    [from, className] = [y, event.type === "started" ? "life" : event.type === "killed" ? "down" : "halted"];
  }
  drawn.push(segment(layout, node, { from, to: layout.bottom, className }));
  return drawn;
}

function segment(layout: Layout, who: string, { from, to, className }: { from: number; to: number; className: string }): string {
  const x = px(layout.x(who));
  return to <= from ? "" : `<line x1="${x}" y1="${px(from)}" x2="${x}" y2="${px(to)}" class="${className}"/>`;
}

/** Decisions, deaths and births on the lines; faults, phases and what is broken as notes beside them. */
export function drawMarks(shown: readonly RunEvent[], layout: Layout): string[] {
  let lastNote = layout.top - NOTE_PIXELS;
  const word = viewWordOf(shown);
  const note = (y: number, text: string, isBad = false): string => {
    lastNote = Math.max(y, lastNote + NOTE_PIXELS);
    return `<text x="${px(layout.notes)}" y="${px(lastNote + 4)}"${isBad ? ' class="bad"' : ""}>${xml(text)}</text>`;
  };
  return shown.flatMap((event): string[] => {
    const y = layout.y(event.atMs);
    switch (event.type) {
      case "applied":
        return [
          `<circle cx="${px(layout.x(event.node))}" cy="${px(y)}" r="4.5" fill="#1a7f37"><title>${xml(`${event.node} decides ${event.height} in ${word} ${event.view}: ${event.digest}`)}</title></circle>`,
          `<text x="${px(layout.x(event.node) - 7)}" y="${px(y + 4)}" text-anchor="end" fill="#1a7f37" font-weight="bold">${event.height}</text>`,
        ];
      case "started":
        return [`<circle cx="${px(layout.x(event.node))}" cy="${px(y)}" r="4" fill="#ffffff" stroke="#57606a"/>`];
      case "killed":
        return [crossAt(layout.x(event.node), y), note(y, `${event.node} is killed`)];
      case "halted":
        return [note(y, `${event.node} halts: ${event.reason}`.slice(0, 90), true)];
      case "installed":
        return [note(y, `${event.node} takes over the state at ${event.height}`)];
      case "evidence":
        return [note(y, `${event.node} has evidence against ${event.offender}`)];
      case "fault":
        return [
          note(
            y,
            describeFault(event.fault)
              .replace(/ \([^)]*\)/, "")
              .slice(0, 90),
          ),
        ];
      case "phase":
        return [`<line x1="92" y1="${px(y)}" x2="${px(layout.notes)}" y2="${px(y)}" class="phase"/>`, note(y, event.phase)];
      case "violated":
        return [note(y, `${event.invariant} is broken: ${event.detail}`.slice(0, 90), true)];
      default:
        return [];
    }
  });
}
