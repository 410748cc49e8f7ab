import { type AccusationKind, parseHeader, type Telemetry } from "#base";
import type { BlockEvent, ReplicaStatus, SubmitAnswer } from "#replica";
import type { ReadFrame } from "./frame-reader.ts";
import type { Coverage } from "./marks.ts";

/** Codes of results that are rare enough to be marked. */
const RESULT_MARKS: Readonly<Record<string, string>> = {
  COMMAND_DUPLICATE: "command-duplicate",
  COMMAND_REPLAYED: "command-replayed",
  COMMAND_EXPIRED: "command-expired",
  EVIDENCE_KNOWN: "evidence-known",
  EVIDENCE_INVALID: "evidence-refused",
};

const EVIDENCE_MARKS: Readonly<Partial<Record<AccusationKind, string>>> = {
  "hidden-certificate": "certificate-hidden",
  "double-view-change": "two-view-changes",
  "double-new-view": "two-new-views",
};

const MESSAGE_MARKS: ReadonlySet<string> = new Set(["view-change", "new-view", "fetch-proposal", "proposal-body"]);
const COUNTER_MARKS: Readonly<Record<string, string>> = {
  quorumgate_peer_invalid_total: "refused-frame",
  quorumgate_refusals_total: "refused-command",
  quorumgate_evidence_total: "evidence",
};

/** Tells coverage what nodes do, as it shows in what they send, log, count and decide. */
export class Observer {
  readonly #coverage: Coverage;
  readonly #telemetry: Telemetry;
  /** In which view a height was decided. */
  readonly #views = new Map<number, number>();

  constructor(coverage: Coverage) {
    this.#coverage = coverage;
    this.#telemetry = {
      log: (_level, event, fields) => this.#onLog(event, fields?.["above"]),
      count: (metric) => {
        const mark = COUNTER_MARKS[metric];
        if (mark !== undefined) coverage.sometimes(mark);
      },
      gauge: () => {},
      observe: () => {},
    };
  }

  /** One for all nodes: the marks do not tell them apart. */
  get telemetry(): Telemetry {
    return this.#telemetry;
  }

  /** A frame that an honest node sent. */
  onSend({ frame, message, name }: ReadFrame): void {
    if (name === "block") this.#coverage.sometimes("sent-block");
    if (MESSAGE_MARKS.has(name)) this.#coverage.sometimes(name);
    if (frame.kind === "sync-response" && frame.blocks.length > 0) this.#coverage.sometimes("sync-response");
    if (frame.kind === "probe-reply" && frame.seen !== undefined) this.#coverage.sometimes("reminded-of-vote");
    switch (message?.type) {
      case "timeout-now":
        this.#coverage.sometimes("handed-over");
        return;
      case "view-change":
        if (message.prepared.length > 0) this.#coverage.sometimes("view-change-with-prepared-certificate");
        return;
      case "new-view":
        if (message.viewChanges.some(({ prepared }) => prepared.length > 0)) this.#coverage.sometimes("new-view-that-demands");
        return;
      case "propose":
      case "round-proposal":
        if (message.view > 0 && parseHeader(message.headerBytes).originView < message.view) this.#coverage.sometimes("re-proposal");
        return;
      default:
        return;
    }
  }

  /** A node proved a lie. */
  onEvidence(kind: AccusationKind): void {
    const mark = EVIDENCE_MARKS[kind];
    if (mark !== undefined) this.#coverage.sometimes(mark);
  }

  onBlock({ height, view, results, entries }: BlockEvent): void {
    if (entries.some(({ kind, reason }) => kind === "evidence" && reason === "OK")) this.#coverage.sometimes("evidence-recorded");
    if (view > 0) this.#coverage.sometimes("decided-in-later-view");
    this.#views.set(height, view);
    const { membershipHash, nextMembershipHash } = entries.at(-1)?.content ?? {};
    if (membershipHash !== nextMembershipHash && view > (this.#views.get(height - 1) ?? view))
      this.#coverage.sometimes("epoch-ended-in-later-view");
    if (results.length === 0) this.#coverage.sometimes("heartbeat-block");
    if (results.length > 1) this.#coverage.sometimes("full-turn");
    for (const { code } of results) {
      const mark = RESULT_MARKS[code];
      if (mark !== undefined) this.#coverage.sometimes(mark);
    }
  }

  /** A node was started; not the first time. */
  onRestarted({ consensus }: ReplicaStatus): void {
    if (consensus.phase === "changing-view") this.#coverage.sometimes("restarted-in-view-change");
    if (consensus.phase === "proposed" || consensus.phase === "prepared") this.#coverage.sometimes("restarted-with-proposal");
  }

  onAnswer(answer: SubmitAnswer["kind"] | undefined, outcome: string | undefined): void {
    if (answer === "rejected" || answer === "unavailable") this.#coverage.sometimes(`answered-${answer}`);
    if (outcome === "allowed" || outcome === "denied") this.#coverage.sometimes(`answered-${outcome}`);
  }

  #onLog(event: string, above: unknown): void {
    if (event === "vote guard not current") this.#coverage.sometimes("rejoin-by-floor");
    if (event === "participating" && typeof above === "number" && above > 0) this.#coverage.sometimes("participates-above-floor");
  }
}
