import {
  type Accusation,
  accusationName,
  accusationToCanonical,
  encodeCanonical,
  encodeCommand,
  errorCode,
  faultModelOf,
  findMember,
  LIMITS,
  parseCanonical,
  parseSubjectId,
  readAccusation,
  type SignedCommand,
  signedBytes,
  signedCommandOf,
  toBase64Url,
} from "#base";
import { evidenceRecordBody } from "#state";
import type { Parts } from "../assembly.ts";
import { STORE_KEYS } from "../keys.ts";
import type { ReplicaOptions, SubmitAnswer } from "../types.ts";

/** Evidence that this node found and the ledger does not hold yet. */
interface Held {
  readonly accusation: Accusation;
  /** Ticks since it was found, or since the last report failed. */
  ticks: number;
  underway: boolean;
  report?: SignedCommand;
}

/** What reporting needs of the replica. */
export interface ReportHooks {
  submit(signed: SignedCommand, timeoutMs: number, done: (answer: SubmitAnswer) => void): void;
  halt(reason: string): void;
}

/**
 * Has the evidence that this node found recorded in the ledger (docs/protocols/evidence.md, rule E3): kept on its disk, reported in turn with the
 * other members, and again until the ledger holds it.
 */
export class EvidenceReports {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #hooks: ReportHooks;
  readonly #held = new Map<string, Held>();

  constructor(options: ReplicaOptions, parts: Parts, hooks: ReportHooks) {
    this.#options = options;
    this.#parts = parts;
    this.#hooks = hooks;
  }

  /** Pieces that the ledger does not hold yet. */
  get count(): number {
    return this.#held.size;
  }

  /** Takes up what was found before a restart. Damaged pieces are dropped: members that found the same have theirs, and who lies again is found again. */
  begin(): void {
    const { salvage, writeAhead } = this.#parts;
    const found: (readonly [string, Uint8Array])[] = [];
    salvage.scan(
      STORE_KEYS.evidencePrefix,
      (key, value) => found.push([key, value]),
      (error, damaged) => {
        if (error !== undefined) return this.#hooks.halt(`the disk failed: ${errorCode(error)}`);
        const unreadable = found.filter(([key, bytes]) => !this.#takeUp(key, bytes)).map(([key]) => key);
        const dropped = [...damaged, ...unreadable];
        if (dropped.length > 0) writeAhead.append(dropped.map((key) => ({ key })));
      },
    );
  }

  /**
   * Takes up evidence whose signatures verify, unless it is known already; `done` runs once, when it is on the disk or on record. In an engine that
   * tolerates crashes only no evidence counts.
   */
  hold(accusation: Accusation, done: () => void): void {
    const { ledger, writeAhead } = this.#parts;
    const name = accusationName(accusation);
    const counts = faultModelOf(ledger.genesis.engine) === "byzantine" && !ledger.state.isEvidenceSettled(accusation);
    if (this.#held.has(name)) return;
    if (!counts || this.#held.size >= LIMITS.evidenceHeldMax) return done();
    this.#keep(accusation);
    const value = encodeCanonical(accusationToCanonical(accusation));
    writeAhead.append([{ key: STORE_KEYS.evidencePrefix + name, value }], done);
  }

  /** Runs with the housekeeping: forgets what is recorded, reports what is due. */
  tick(): void {
    const { ledger, writeAhead, timing } = this.#parts;
    for (const [name, held] of this.#held) {
      if (ledger.state.isEvidenceSettled(held.accusation)) {
        this.#held.delete(name);
        writeAhead.forget([STORE_KEYS.evidencePrefix + name]);
        continue;
      }
      held.ticks += 1;
      if (!held.underway && held.ticks * timing.tickMs > this.#turn(held.accusation) * LIMITS.evidenceTurnMs) this.#report(name, held);
    }
  }

  #takeUp(key: string, bytes: Uint8Array): boolean {
    try {
      this.#keep(readAccusation(parseCanonical(bytes)));
      return true;
    } catch (cause) {
      this.#parts.salvage.setAside(key, cause);
      return false;
    }
  }

  #keep(accusation: Accusation): void {
    this.#held.set(accusationName(accusation), { accusation, ticks: 0, underway: false });
  }

  /** This node's place among the members that may report: who comes later seldom has to. */
  #turn({ node }: Accusation): number {
    const reporters = this.#parts.ledger.membership.members.filter(({ id }) => id !== node);
    return reporters.findIndex(({ id }) => id === this.#options.self);
  }

  #report(name: string, held: Held): void {
    const { self, clock } = this.#options;
    // What is no member can tell nobody; it may become one again.
    if (findMember(this.#parts.ledger.membership, self) === undefined) return;
    held.underway = true;
    const { report } = held;
    if (report !== undefined && report.command.expiresAtUs > clock.nowUs()) return this.#submit(name, held, report);
    this.#sign(held.accusation, (signed) => {
      held.report = signed;
      this.#submit(name, held, signed);
    });
  }

  #submit(name: string, held: Held, signed: SignedCommand): void {
    this.#hooks.submit(signed, LIMITS.submitTimeoutMs, (answer) => {
      held.underway = false;
      held.ticks = 0;
      if (answer.kind === "unavailable") return;
      const code = answer.kind === "ordered" ? answer.record.code : answer.code;
      if (code === "OK" || code === "EVIDENCE_KNOWN") return;
      this.#options.telemetry.log("warn", "evidence not recorded", { name, code });
      // The same bytes would get the same answer.
      delete held.report;
    });
  }

  #sign(accusation: Accusation, done: (signed: SignedCommand) => void): void {
    const { self, clock, entropy, hasher, signer } = this.#options;
    const { ledger } = this.#parts;
    const key = findMember(ledger.membership, self)?.keys.gateway;
    if (key === undefined) return;
    const issuedAtUs = clock.nowUs();
    const bytes = encodeCommand({
      cluster: ledger.cluster,
      kind: "evidence.record",
      id: toBase64Url(entropy.bytes(16)),
      issuer: parseSubjectId(self),
      key,
      issuedAtUs,
      expiresAtUs: issuedAtUs + LIMITS.evidenceReportUs,
      body: evidenceRecordBody(accusation),
    });
    signer.sign("gateway", signedBytes("command", bytes), (signature) => done(signedCommandOf(hasher, { bytes, signature })));
  }
}
