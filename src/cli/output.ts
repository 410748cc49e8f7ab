import type { JsonValue } from "#base";

/** Where a command writes: its result to stdout, everything else to stderr. */
export interface Output {
  /** One JSON value instead of text. */
  readonly json: boolean;
  /** Marks text for a person; plain where colours are not wanted. */
  readonly style: Style;
  /** The command's result, once: JSON on request, otherwise the text. */
  result(value: JsonValue, text: () => string): void;
  /** Anything that is not the result: progress, hints, what was assumed. */
  note(text: string): void;
}

/** The few styles that are used; each keeps its meaning without colour, by words or signs beside it. */
export interface Style {
  good(text: string): string;
  bad(text: string): string;
  strong(text: string): string;
  faint(text: string): string;
}

/** The streams and environment of a process, as far as output needs them. */
export interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const ESCAPES = { good: ["32", "39"], bad: ["31", "39"], strong: ["1", "22"], faint: ["2", "22"] } as const;

/** The output of one command. */
export function createOutput(streams: Streams, options: { readonly json: boolean }): Output {
  const { json } = options;
  return {
    json,
    style: styleFor(!json && wantsColour(streams)),
    result: (value, text) => {
      const written = json ? JSON.stringify(value) : text();
      streams.stdout.write(written.endsWith("\n") ? written : `${written}\n`);
    },
    note: (text) => {
      streams.stderr.write(`${text}\n`);
    },
  };
}

/** True unless the terminal or the user (https://no-color.org) says otherwise. */
export function wantsColour({ stdout, environment }: Streams): boolean {
  const refused = environment["NO_COLOR"] !== undefined && environment["NO_COLOR"] !== "";
  return stdout.isTTY === true && !refused && environment["TERM"] !== "dumb";
}

function styleFor(colour: boolean): Style {
  const wrap =
    ([on, off]: readonly [string, string]) =>
    (text: string): string =>
      colour ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return { good: wrap(ESCAPES.good), bad: wrap(ESCAPES.bad), strong: wrap(ESCAPES.strong), faint: wrap(ESCAPES.faint) };
}

/** Rows as aligned columns, two spaces apart, without trailing spaces. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** What comes from outside must not steer the terminal that shows it. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e\n]/g, "?");
}

/** A number of things, in words that fit: `1 fault`, `2 faults`. */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/** A hash or id in short, as people compare it: `7f3a91…c1d2`. */
export function short(hash: string): string {
  return hash.length <= 14 ? hash : `${hash.slice(0, 8)}…${hash.slice(-4)}`;
}
