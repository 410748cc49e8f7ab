import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { EngineName, JsonValue } from "#base";
import type { Fault, TimeWindow, Transcript } from "#simulations";
import { EXIT, parseWhole, UsageError } from "../failure.ts";
import { counted, type Output, printable } from "../output.ts";

/** Options of `simulate --replay`, as they are typed. */
export interface ReplayFlags {
  readonly replay?: string;
  readonly shrink?: boolean;
  readonly format: string;
  readonly from?: string;
  readonly to?: string;
  readonly out?: string;
  readonly realCrypto?: boolean;
}

/** What is played again: what the failure says, or the other options of `simulate`. */
export interface ReplaySetting {
  readonly seed: number;
  readonly faults: readonly Fault[];
  readonly engine: EngineName;
  readonly nodes: number;
  readonly planted?: string;
}

/** Formats of a replayed run. */
const FORMATS = ["text", "svg", "shiviz", "jsonl"] as const;
const SEED_MAX = 4_294_967_295;
const VIRTUAL_MS_MAX = 10_000_000;

/** `simulate --replay`: one schedule again, as a transcript, a diagram or a log of events. */
export async function simulateReplay(flags: ReplayFlags, setting: ReplaySetting, output: Output): Promise<number> {
  const { replayTranscript, shrinkFaults } = await import("#simulations");
  const format = readFormat(flags.format);
  const window = readWindow(flags);
  const { seed, faults: given } = setting;
  const settings = { ...setting, ...(flags.realCrypto === true ? { realCrypto: true } : {}) };
  if (flags.shrink === true) output.note(`looking for the shortest list of faults that still fails, from ${given.length}`);
  const faults = flags.shrink === true ? await shrinkFaults({ ...settings, faults: given }) : given;
  const transcript = await replayTranscript({ ...settings, faults });
  const { violations, commits } = transcript.result;
  const text = await draw(format, transcript, window);
  if (flags.out !== undefined) writeFileSync(flags.out, text);
  const last = `seed ${seed}: ${[counted(commits, "commit"), counted(faults.length, "fault"), counted(violations.length, "violation")].join(", ")}`;
  output.result({ seed, faults, violations, commits, lines: transcript.lines } as unknown as JsonValue, () => {
    if (flags.out !== undefined) return `${last}; written to ${printable(flags.out)}`;
    return format === "text" ? `${printable(text)}${last}` : text;
  });
  return violations.length === 0 ? EXIT.done : EXIT.refused;
}

async function draw(format: (typeof FORMATS)[number], { events }: Transcript, window: TimeWindow): Promise<string> {
  const { inWindow, toJsonLines, toShiViz, toSvg, transcriptOf } = await import("#simulations");
  switch (format) {
    case "svg":
      return toSvg(events, window);
    case "shiviz":
      return toShiViz(inWindow(events, window));
    case "jsonl":
      return toJsonLines(inWindow(events, window));
    default:
      return transcriptOf(events, window)
        .map((line) => `${line}\n`)
        .join("");
  }
}

function readFormat(name: string): (typeof FORMATS)[number] {
  const format = FORMATS.find((known) => known === name);
  if (format === undefined) throw new UsageError(`--format is one of ${FORMATS.join(", ")}, not ${name}`);
  return format;
}

function readWindow({ from, to }: ReplayFlags): TimeWindow {
  const read = (text: string | undefined, name: string): number | undefined =>
    text === undefined ? undefined : parseWhole(text, { name, min: 0, max: VIRTUAL_MS_MAX });
  const [fromMs, toMs] = [read(from, "--from"), read(to, "--to")];
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) throw new UsageError("--from is earlier than --to");
  return { ...(fromMs === undefined ? {} : { fromMs }), ...(toMs === undefined ? {} : { toMs }) };
}

/** A failure as it stands in a file. Of the cluster it need not speak: then the options do, or what `simulate` takes without them. */
export interface FailureFile {
  readonly schedule: { readonly seed: number; readonly faults: readonly Fault[] };
  readonly engine?: string;
  readonly nodes?: string;
  readonly planted?: string;
}

/** Reads a failure of a report, or the first one of a report of `simulate --json`. @throws {UsageError} */
export async function readFailure(file: string): Promise<FailureFile> {
  const { parseFaults } = await import("#simulations");
  if (!existsSync(file)) throw new UsageError(`there is no file ${file}`);
  const read = fieldsOf(parseJson(readFileSync(file, "utf8")));
  const { seed, faults, engine, nodes, planted } = Array.isArray(read["failures"]) ? fieldsOf(read["failures"][0]) : read;
  const isSeed = typeof seed === "number" && Number.isInteger(seed) && seed >= 0 && seed <= SEED_MAX;
  if (!isSeed || faults === undefined)
    throw new UsageError(
      `${file} is no failure: it has to be {"seed": NUMBER, "faults": [FAULT, ...]}, as \`simulate --json\` lists failures, or such a report`,
    );
  try {
    return {
      schedule: { seed, faults: parseFaults(faults) },
      ...(engine === undefined ? {} : { engine: wordOf(engine) }),
      ...(nodes === undefined ? {} : { nodes: wordOf(nodes) }),
      ...(planted === undefined ? {} : { planted: wordOf(planted) }),
    };
  } catch (cause) {
    throw new UsageError(`${file}: ${cause instanceof Error ? cause.message : "its faults do not read"}`);
  }
}

/** As an option would be typed; what is neither word nor number is refused as an option is. */
function wordOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** Undefined where the text is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
