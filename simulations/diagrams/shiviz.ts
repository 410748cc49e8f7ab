import type { FrameEvent, RunEvent } from "./events.ts";
import { describeFault, describeIntent, describeSeen, viewWordOf } from "./transcript.ts";

/** How ShiViz reads the lines below it: it stands on the first line of the log, and an empty second one says that there is one run in it. */
const PARSER = String.raw`(?<host>\S*) (?<clock>{.*})\n(?<event>.*)`;

/** All clients stand on one line of time. */
const CLIENT = "client";
const SCHEDULE = "schedule";

/** How many events of each host an event knows of, by vector clock. */
type VectorClock = ReadonlyMap<string, number>;

/**
 * A run as a log with vector clocks, which ShiViz draws as a space-time diagram. What is sent and received, asked and answered is ordered; the times
 * of the run stand in the text. What the schedule does has a line of its own that nothing is ordered with.
 *
 * Source: Mattern 1989 and Fidge 1988 (vector clocks).
 */
export function toShiViz(events: readonly RunEvent[]): string {
  const log = new ShiVizLog(viewWordOf(events));
  for (const event of events) log.add(event);
  return `${PARSER}\n\n${log.lines.join("\n")}\n`;
}

class ShiVizLog {
  readonly lines: string[] = [];
  readonly #clocks = new Map<string, VectorClock>();
  /** The sender's clock as a frame left, by its number; that of the asker, by the number of the question. */
  readonly #sent = new Map<number, VectorClock>();
  readonly #asked = new Map<number, VectorClock>();
  readonly #viewWord: string;

  constructor(viewWord: string) {
    this.#viewWord = viewWord;
  }

  add(event: RunEvent): void {
    const { atMs } = event;
    const at = `${atMs.toFixed(3)} ms:`;
    switch (event.type) {
      case "sent":
        this.#sent.set(event.frame, this.#tick(event.from, `${at} sends ${event.about} to ${event.to}`));
        return;
      case "received":
        this.#tick(event.to, `${at} receives ${event.about} from ${event.from}`, this.#sent.get(event.frame));
        return;
      case "dropped":
        this.#tick(SCHEDULE, `${at} ${event.about} from ${event.from} to ${event.to} is lost (${reasonOf(event)})`);
        return;
      case "asked":
        this.#asked.set(event.operation, this.#tick(CLIENT, `${at} asks ${event.node}: ${describeIntent(event.intent, event.command)}`));
        this.#tick(event.node, `${at} is asked: ${describeIntent(event.intent, event.command)}`, this.#asked.get(event.operation));
        return;
      case "answered": {
        const said = `${event.outcome ?? event.answer} ${event.command.slice(0, 8)}`;
        this.#tick(CLIENT, `${at} hears ${said} from ${event.node}`, this.#tick(event.node, `${at} answers ${said}`));
        return;
      }
      case "read":
        this.#asked.set(event.operation, this.#tick(CLIENT, `${at} reads ${event.service} at ${event.node}`));
        this.#tick(event.node, `${at} is to read ${event.service}`, this.#asked.get(event.operation));
        return;
      case "shown":
        this.#tick(CLIENT, `${at} sees ${describeSeen(event.seen)}`, this.#tick(event.node, `${at} shows ${event.service}`));
        return;
      default:
        this.#addOther(event, at);
    }
  }

  #addOther(event: RunEvent, at: string): void {
    switch (event.type) {
      case "started":
      case "killed":
        this.#tick(event.node, `${at} is ${event.type}`);
        return;
      case "halted":
        this.#tick(event.node, `${at} halts: ${event.reason}`);
        return;
      case "applied":
        this.#tick(event.node, `${at} decides ${event.height} ${this.#viewWord} ${event.view} ${event.digest.slice(0, 8)}`);
        return;
      case "installed":
        this.#tick(event.node, `${at} takes over the state at ${event.height}`);
        return;
      case "evidence":
        this.#tick(event.node, `${at} has evidence against ${event.offender}`);
        return;
      case "fault":
        this.#tick(SCHEDULE, `${at} fault ${describeFault(event.fault)}`);
        return;
      case "phase":
        this.#tick(SCHEDULE, `${at} ${event.phase}: ${event.nodes.join(", ")}`);
        return;
      case "violated":
        this.#tick(SCHEDULE, `${at} ${event.invariant} is broken: ${event.detail}`);
        return;
      default:
        return;
    }
  }

  /** The host's next event, after all that the other clock knows of. Returns the host's clock with it. */
  #tick(host: string, text: string, heard?: VectorClock): VectorClock {
    const clock = new Map(this.#clocks.get(host));
    for (const [other, count] of heard ?? []) clock.set(other, Math.max(clock.get(other) ?? 0, count));
    clock.set(host, (clock.get(host) ?? 0) + 1);
    this.#clocks.set(host, clock);
    const known = Object.fromEntries([...clock].sort(([a], [b]) => (a < b ? -1 : 1)));
    this.lines.push(`${host} ${JSON.stringify(known)}`, text.replaceAll("\n", " "));
    return clock;
  }
}

function reasonOf({ why }: FrameEvent): string {
  return why ?? "for no reason";
}
