import type { EngineName, Member, NodeId } from "#base";
import type { BlockEvent, SubmitAnswer } from "#replica";
import type { Fault } from "../faults/fault.ts";
import { describeFrame, FrameReader } from "../frame-reader.ts";
import type { LossReason, NetworkWatch } from "../network.ts";
import type { RunResult } from "../run-result.ts";
import type { Operation, ReadOperation, WorkloadWatch } from "../workload.ts";
import type { FrameEvent, RunEvent } from "./events.ts";

/** An event before its time is put on it. */
type Untimed<Event> = Event extends RunEvent ? Omit<Event, "atMs"> : never;

/** Turns what is watched in a run into events. Without one a run says nothing, and costs nothing more. */
export class RunRecorder implements NetworkWatch, WorkloadWatch {
  readonly #record: (event: RunEvent) => void;
  readonly #nowMs: () => number;
  /** Its own: faults ask the run's reader which messages it has met. */
  readonly #reader = new FrameReader();
  readonly #frames: Omit<FrameEvent, "type">[] = [];
  readonly #engine: EngineName;

  constructor(options: { engine: EngineName; record: (event: RunEvent) => void; nowMs: () => number }) {
    this.#engine = options.engine;
    this.#record = options.record;
    this.#nowMs = options.nowMs;
  }

  note(event: Untimed<RunEvent>): void {
    this.#record({ atMs: this.#nowMs(), ...event } as RunEvent);
  }

  onBegin(about: {
    readonly seed: number;
    readonly engine: EngineName;
    readonly window: number;
    readonly members: readonly Member[];
    /** Nodes that may join. */
    readonly newcomers: readonly NodeId[];
    readonly faults: readonly Fault[];
    readonly byzantine: ReadonlySet<NodeId>;
  }): void {
    const { seed, engine, window, members, newcomers, faults, byzantine } = about;
    const liesOf = (id: NodeId, index: number): string[] =>
      byzantine.has(id) ? faults.filter(({ node, atMs }) => node === index && atMs === undefined).map(({ kind }) => kind) : [];
    const begin = members.map(({ id, weight }, index) => ({ id, weight, lies: liesOf(id, index) }));
    const nodes = [...begin, ...newcomers.map((id) => ({ id, weight: 0, lies: [] }))];
    this.note({ type: "run", seed, engine, window, nodes, faults });
  }

  onEnd({ commits, answered, violations, traceHash }: RunResult): void {
    this.note({ type: "end", commits, answered, violations, traceHash });
  }

  onBlock(node: NodeId, { height, view, digest, results }: BlockEvent): void {
    this.note({ type: "applied", node, height, view, digest, commands: results.length });
  }

  onSent(from: NodeId, to: NodeId, bytes: Uint8Array): number {
    const sent = { frame: this.#frames.length, from, to, ...this.#read(bytes) };
    this.#frames.push(sent);
    this.note({ type: "sent", ...sent });
    return sent.frame;
  }

  onLost(frame: number, why: LossReason): void {
    const sent = this.#frames[frame];
    if (sent !== undefined) this.note({ type: "dropped", ...sent, why });
  }

  onArrived(frame: number, bytes: Uint8Array): void {
    const sent = this.#frames[frame];
    if (sent !== undefined) this.note({ type: "received", ...sent, ...this.#read(bytes) });
  }

  onAsked(operation: Operation): void {
    this.note({ type: "asked", ...clientFields(operation) });
  }

  onAnswered(operation: Operation, answer: SubmitAnswer): void {
    const said = answer.kind === "ordered" ? { outcome: answer.record.outcome, code: answer.record.code } : { code: answer.code };
    this.note({ type: "answered", ...clientFields(operation), answer: answer.kind, ...said });
  }

  onRead({ number, node, service }: ReadOperation): void {
    this.note({ type: "read", operation: number, node, service });
  }

  onReadAnswered({ number, node, service, seen }: ReadOperation): void {
    this.note({ type: "shown", operation: number, node, service, ...(seen === undefined ? {} : { seen }) });
  }

  #read(bytes: Uint8Array): { readonly name: string; readonly about: string } {
    return { name: this.#reader.nameOf(bytes), about: describeFrame(this.#reader.read(bytes), this.#engine) };
  }
}

function clientFields({ number, node, signed, intent }: Operation) {
  return { operation: number, node, command: signed.hash, ...(intent === undefined ? {} : { intent }) };
}
