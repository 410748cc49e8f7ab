import type { RunEvent } from "./events.ts";
import type { Flight } from "./flights.ts";
import { familyOf, MESSAGE_FAMILIES, OTHER_FAMILY } from "./palette.ts";
import { px, xml } from "./svg-layout.ts";
import { describeFault } from "./transcript.ts";
import type { TimeWindow } from "./window.ts";

const FAMILIES = [...MESSAGE_FAMILIES, OTHER_FAMILY];
const LINE = 16;
const LEGEND_WIDTH = 480;
const LEGEND_CHARACTERS = 70;
const TITLE_CHARACTERS = 100;
/** What the legend and the lines beside it take. */
const HEAD_WIDTH = 1_120;

/** Classes of the drawing; colours of messages are those of their families. */
export const STYLE: string = [
  ".life{stroke:#57606a;stroke-width:1.4}",
  ".down{stroke:#d0d7de;stroke-width:1.4;stroke-dasharray:2 4}",
  ".halted{stroke:#cf222e;stroke-width:5;opacity:.6}",
  ".message{stroke-width:1.1;fill:none;opacity:.85}",
  ".lost{stroke-dasharray:3 3}",
  ".cross{stroke:#cf222e;stroke-width:1.8}",
  ".band{fill:#bf8700;opacity:.22}",
  ".faultbar{fill:#bf8700;opacity:.75}",
  "text{paint-order:stroke;stroke:#ffffff;stroke-width:2px}",
  ".small{font-size:9px;fill:#57606a}",
  ".name{font-weight:bold;font-size:12px}",
  ".bad{fill:#cf222e;font-weight:bold}",
  ".cut{stroke:#d0d7de;stroke-dasharray:1 3}",
  ".phase{stroke:#57606a;stroke-dasharray:6 4}",
  ...FAMILIES.map(({ id, colour }) => `.${id}{stroke:${colour}}.${id}-tip{fill:${colour}}`),
].join("");

/** The title, the faults and the legend: drawn, and how high they are. */
export function headOf(
  events: readonly RunEvent[],
  { fromMs, toMs }: TimeWindow,
  flights: readonly Flight[],
): { readonly drawn: readonly string[]; readonly width: number; readonly height: number } {
  const run = events.find((event) => event.type === "run");
  const about = run?.type === "run" ? `seed ${run.seed}, ${run.engine}, ${run.nodes.length} nodes, window ${run.window}` : "";
  const part = fromMs === undefined && toMs === undefined ? "the whole run" : `from ${fromMs ?? 0} to ${toMs ?? "the end"} ms`;
  const titles = titleLines(events).map(
    ({ text, isBad }, index) => `<text x="${LEGEND_WIDTH + 20}" y="${46 + LINE * index}"${isBad ? ' class="bad"' : ""}>${xml(text)}</text>`,
  );
  const legend = legendLines(flights);
  const title = `<text x="16" y="22" font-size="15" font-weight="bold">${xml(`${about}: ${part}`)}</text>`;
  const height = 40 + LINE * (1 + Math.max(titles.length, legend.length + 1));
  return { drawn: [title, ...drawLegend(legend), ...titles], width: HEAD_WIDTH, height };
}

interface TitleLine {
  readonly text: string;
  readonly isBad: boolean;
}

function titleLines(events: readonly RunEvent[]): TitleLine[] {
  const lines = (text: string, isBad = false): TitleLine[] => wrapped(text, TITLE_CHARACTERS).map((line) => ({ text: line, isBad }));
  return events.flatMap((event) => {
    if (event.type === "run") return event.faults.flatMap((fault) => lines(`fault: ${describeFault(fault)}`));
    if (event.type !== "end") return [];
    const { commits, answered, violations } = event;
    return [
      ...lines(`${commits} heights decided, ${answered} answers, ${violations.length} violations`),
      ...violations.flatMap(({ invariant, detail }) => lines(`${invariant} is broken: ${detail}`, true)),
    ];
  });
}

/** One line of the legend; what goes on from the line above has no colour of its own. */
interface LegendLine {
  readonly text: string;
  readonly id?: string;
}

function legendLines(flights: readonly Flight[]): LegendLine[] {
  const counts = new Map<string, number>();
  for (const { name } of flights) counts.set(name, (counts.get(name) ?? 0) + 1);
  return FAMILIES.flatMap(({ id, about }) => {
    const names = [...counts].filter(([name]) => familyOf(name).id === id).sort(([a], [b]) => (a < b ? -1 : 1));
    if (names.length === 0) return [];
    const text = `${about}: ${names.map(([name, count]) => `${name} ${count}`).join(", ")}`;
    return wrapped(text, LEGEND_CHARACTERS).map((line, index) => ({ text: line, ...(index === 0 ? { id } : {}) }));
  });
}

/** A text in lines of a few characters less than there is room for; a word is never cut. */
function wrapped(text: string, characters: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > characters) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function drawLegend(lines: readonly LegendLine[]): string[] {
  const drawn = lines.flatMap(({ id, text }, index) => {
    const y = 42 + LINE * index;
    const colour = id === undefined ? [] : [`<line x1="16" y1="${y}" x2="40" y2="${y}" class="${id}" stroke-width="3"/>`];
    return [...colour, `<text x="46" y="${y + 4}">${xml(text)}</text>`];
  });
  const y = 42 + LINE * lines.length;
  return [
    ...drawn,
    `<circle cx="28" cy="${y}" r="4.5" fill="#1a7f37"/><text x="46" y="${y + 4}">a node decides a height</text>`,
    `${crossAt(170 + 20, y)}<text x="${px(200)}" y="${y + 4}">lost, or a node is killed</text>`,
    `<rect x="335" y="${y - 6}" width="10" height="12" class="band"/><text x="350" y="${y + 4}">under a fault</text>`,
  ];
}

/** A red cross. */
export function crossAt(x: number, y: number): string {
  return `<path class="cross" d="M${px(x - 4)} ${px(y - 4)}l8 8m0 -8l-8 8"/>`;
}
