import { FAULT_CATALOGUE } from "../faults/catalogue.ts";
import type { Fault } from "../faults/fault.ts";
import { viewWord } from "../frame-reader.ts";
import type { Intent, SeenService } from "../workload.ts";
import type { FrameEvent, RunEvent, RunPhase } from "./events.ts";
import { inWindow, type TimeWindow } from "./window.ts";

type Timed<Type extends RunEvent["type"]> = RunEvent & { readonly type: Type };
type TimedFrame = FrameEvent & { readonly atMs: number };

/** Longer than this nothing happened: the reader is told. */
const PAUSE_MS = 100;

const PHASES: Readonly<Record<RunPhase, string>> = {
  "faults-end": "faults end, and everything honest is healed",
  "core-alone": "a quorum has to drain alone",
  together: "everybody honest is together again",
  drained: "everything is drained",
};

/**
 * A run as lines for a person: what clients ask and hear, what is sent to whom with how long it took or why it was lost, what nodes decide, and what
 * the schedule does to them. A message to several nodes is one line.
 */
export function transcriptOf(events: readonly RunEvent[], window: TimeWindow = {}): readonly string[] {
  const fates = fatesOf(events);
  const lines: string[] = [];
  const word = viewWordOf(events);
  let lastMs = window.fromMs ?? 0;
  for (const group of groupsOf(inWindow(events, window))) {
    const [first] = group;
    if (first?.type === "run") lines.push(...describeBegin(first));
    if (first === undefined || first.type === "run") continue;
    const text = first.type === "sent" ? describeSends(group as readonly TimedFrame[], fates) : describe(first, word);
    if (text.length === 0) continue;
    if (first.atMs - lastMs > PAUSE_MS) lines.push("");
    lastMs = first.atMs;
    for (const line of text) lines.push(`${first.atMs.toFixed(3).padStart(10)}  ${line}`);
  }
  for (const event of events) if (event.type === "end") lines.push(...describeEnd(event));
  return lines;
}

/** An event of each line: those of one message to several nodes together. */
function groupsOf(events: readonly RunEvent[]): RunEvent[][] {
  const groups: RunEvent[][] = [];
  for (const event of events) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    const isSame =
      event.type === "sent" && last?.type === "sent" && event.atMs === last.atMs && event.from === last.from && event.about === last.about;
    // What a link loses at once comes between the frames that it was lost from.
    if (event.type === "dropped" && event.atMs === last?.atMs) continue;
    if (isSame) group?.push(event);
    else groups.push([event]);
  }
  return groups;
}

function fatesOf(events: readonly RunEvent[]): ReadonlyMap<number, readonly TimedFrame[]> {
  const fates = new Map<number, TimedFrame[]>();
  for (const event of events) {
    if (event.type !== "received" && event.type !== "dropped") continue;
    fates.set(event.frame, [...(fates.get(event.frame) ?? []), event]);
  }
  return fates;
}

function describeSends(sends: readonly TimedFrame[], fates: ReadonlyMap<number, readonly TimedFrame[]>): string[] {
  const [first] = sends;
  if (first === undefined) return [];
  const targets = sends.map((sent) => {
    const ends = (fates.get(sent.frame) ?? []).map((fate) => describeFate(sent, fate));
    return `${sent.to} ${ends.join(", ") || "never arrives"}`;
  });
  return [`${first.from} > ${first.about}   to ${targets.join("; ")}`];
}

function describeFate(sent: TimedFrame, fate: TimedFrame): string {
  const tookMs = (fate.atMs - sent.atMs).toFixed(1);
  if (fate.type === "dropped") return `LOST (${fate.why})`;
  return fate.about === sent.about ? `+${tookMs}` : `+${tookMs} as ${fate.about}`;
}

function describe(event: RunEvent, word: string): string[] {
  switch (event.type) {
    case "asked":
      return [`client asks ${event.node} (${event.operation}): ${describeIntent(event.intent, event.command)}`];
    case "answered":
      return [`client hears ${event.outcome ?? event.answer}${codeOf(event.code)} (${event.operation}) from ${event.node}`];
    case "read":
      return [`client reads ${event.service} at ${event.node} (${event.operation})`];
    case "shown":
      return [`client is shown ${describeSeen(event.seen)} (${event.operation}) by ${event.node}`];
    case "started":
      return [`${event.node} starts`];
    case "killed":
      return [`${event.node} is killed`];
    case "halted":
      return [`${event.node} HALTS: ${event.reason}`];
    case "applied":
      return [`${event.node} DECIDES ${event.height} ${word} ${event.view} ${event.digest.slice(0, 8)}, ${counted(event.commands)}`];
    case "installed":
      return [`${event.node} takes over the state at ${event.height}`];
    case "evidence":
      return [`${event.node} has evidence against ${event.offender}`];
    case "fault":
      return [`FAULT ${describeFault(event.fault)}`];
    case "phase":
      return [`---- ${PHASES[event.phase]}: ${event.nodes.join(", ")}`];
    case "violated":
      return [`${event.invariant} IS BROKEN: ${event.detail}`];
    default:
      // What became of a frame stands where it was sent.
      return [];
  }
}

function describeBegin({ seed, engine, window, nodes, faults }: Timed<"run">): string[] {
  const who = nodes.map(
    ({ id, weight, lies }) => `${id}${weight === 1 ? "" : ` (weight ${weight})`}${lies.length === 0 ? "" : ` (${lies.join(", ")})`}`,
  );
  return [
    `seed ${seed}, ${engine}, window ${window}, ${nodes.length} nodes: ${who.join(", ")}`,
    ...faults.map((fault) => `to come: ${describeFault(fault)}`),
    `Times are virtual milliseconds. A message names whom it is sent to, and after how long it arrives. Faults count nodes from 0, which is ${nodes[0]?.id}.`,
  ];
}

function describeEnd({ commits, answered, violations }: Timed<"end">): string[] {
  return [
    "",
    `${commits} heights decided, ${answered} answers`,
    ...violations.map(({ invariant, detail }) => `${invariant} is broken: ${detail}`),
  ];
}

/** A fault with what it does and its numbers. */
export function describeFault({ kind, ...parameters }: Fault): string {
  const about = FAULT_CATALOGUE.find((row) => row.kind === kind)?.about ?? "";
  const numbers = Object.entries(parameters).map(
    ([name, value]) => `${name} ${typeof value === "number" ? value : `[${value.join(" ")}]`}`,
  );
  return `${kind} (${about}): ${numbers.join(", ")}`;
}

/** What a command asks for, in a few words. */
export function describeIntent(intent: Intent | undefined, command: string): string {
  if (intent === undefined) return `something that nobody here signed ${command.slice(0, 8)}`;
  const { kind, service, operation, risk } = intent;
  return [kind, service, operation, risk, command.slice(0, 8)].filter((word) => word !== undefined).join(" ");
}

/** What a read showed, in a few words. */
export function describeSeen(seen: SeenService | undefined): string {
  if (seen === undefined) return "nothing: the read is unavailable";
  const { untilUs, grants } = seen;
  const names = grants.map((grant) => grant.slice(0, 8)).join(" ");
  return `${untilUs === undefined ? "nobody" : "a service"} with ${grants.length} grants${names === "" ? "" : `: ${names}`}`;
}

/** What the run's engine calls its views. */
export function viewWordOf(events: readonly RunEvent[]): string {
  const run = events.find((event) => event.type === "run");
  return run?.type === "run" ? viewWord(run.engine) : "view";
}

function counted(commands: number): string {
  return commands === 1 ? "1 command" : `${commands} commands`;
}

function codeOf(code: string | undefined): string {
  return code === undefined || code === "OK" ? "" : ` ${code}`;
}
