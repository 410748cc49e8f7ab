import { type ErrorCode, QuorumgateError } from "#base";
import type { AuditEntry } from "./entry.ts";

/** What a verification can find, by exit code. 0 is valid, 1 an internal failure, 2 wrong usage; 16 waits for compliance reports. */
export const VERIFY_EXITS: Readonly<Record<FindingCode, number>> = {
  VERIFY_ALTERED: 10,
  VERIFY_TRUNCATED: 11,
  VERIFY_QUORUM: 12,
  VERIFY_SIGNER: 13,
  VERIFY_EVIDENCE: 14,
  VERIFY_FORK: 15,
  VERIFY_MALFORMED: 17,
};

/** Kinds of findings. */
export type FindingCode = Extract<
  ErrorCode,
  "VERIFY_ALTERED" | "VERIFY_TRUNCATED" | "VERIFY_QUORUM" | "VERIFY_SIGNER" | "VERIFY_EVIDENCE" | "VERIFY_FORK" | "VERIFY_MALFORMED"
>;

/** Which exit code a result with several findings gets: the first of these that was found. */
const PRECEDENCE: readonly number[] = [1, 2, 17, 15, 11, 10, 13, 12, 16, 14];

/** One thing that is wrong with the evidence. */
export interface Finding {
  readonly code: FindingCode;
  readonly exit: number;
  readonly message: string;
  /** Index in the shard's tree, where the finding is about an entry. */
  readonly index?: number;
}

/** What a verification says. `ok` exactly when there is no finding; missing evidence is a finding. */
export interface VerificationResult {
  readonly ok: boolean;
  readonly exitCode: number;
  readonly findings: readonly Finding[];
  /** In plain words, what was checked and held. */
  readonly checked: readonly string[];
  /** In plain words, what this evidence cannot show. */
  readonly notChecked: readonly string[];
  /** What a reader has to know even when all holds: a development cluster, no fault tolerance, assertions by a gateway. */
  readonly notices: readonly string[];
  /** The lowest index that is named by a finding. */
  readonly firstBadIndex?: number;
  readonly entry?: AuditEntry;
  readonly checkpoint?: { readonly origin: string; readonly size: number; readonly root: string };
  /** Ids of the nodes whose two signatures hold. */
  readonly signers?: readonly string[];
}

/** How many findings of one kind are kept: an altered log could name millions. */
const FINDINGS_PER_CODE_MAX = 20;

/** Collects what a verification finds. */
export class Findings {
  readonly #findings: Finding[] = [];
  readonly #counts = new Map<FindingCode, number>();
  readonly #checked: string[] = [];
  readonly #notChecked: string[] = [];
  readonly #notices: string[] = [];
  #firstBadIndex: number | undefined;

  add(code: FindingCode, message: string, index?: number): void {
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    if (index !== undefined) this.#firstBadIndex = Math.min(index, this.#firstBadIndex ?? index);
    if (count > FINDINGS_PER_CODE_MAX) return;
    this.#findings.push({ code, exit: VERIFY_EXITS[code], message, ...(index === undefined ? {} : { index }) });
  }

  /** Runs a check that may throw; what it throws becomes a finding. */
  attempt<T>(run: () => T, fallback: FindingCode = "VERIFY_MALFORMED", index?: number): T | undefined {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof QuorumgateError)) throw error;
      const code = error.code in VERIFY_EXITS ? (error.code as FindingCode) : fallback;
      this.add(code, `${error.message}${error.code === code ? "" : ` (${error.code})`}`, index);
      return undefined;
    }
  }

  checked(what: string): void {
    this.#checked.push(what);
  }

  notChecked(what: string): void {
    this.#notChecked.push(what);
  }

  notice(what: string): void {
    this.#notices.push(what);
  }

  get clean(): boolean {
    return this.#findings.length === 0;
  }

  result(details: Pick<VerificationResult, "entry" | "checkpoint" | "signers"> = {}): VerificationResult {
    const exits = new Set(this.#findings.map(({ exit }) => exit));
    const suppressed = [...this.#counts].filter(([, count]) => count > FINDINGS_PER_CODE_MAX);
    return {
      ok: exits.size === 0,
      exitCode: PRECEDENCE.find((exit) => exits.has(exit)) ?? 0,
      findings: this.#findings,
      checked: this.#checked,
      notChecked: this.#notChecked,
      notices: [
        ...this.#notices,
        ...suppressed.map(([code, count]) => `${count - FINDINGS_PER_CODE_MAX} more findings of ${code} are not listed`),
      ],
      ...(this.#firstBadIndex === undefined ? {} : { firstBadIndex: this.#firstBadIndex }),
      ...details,
    };
  }
}

/** The result for a person: verdict first, then findings, what was checked, and what this evidence cannot show. */
export function formatVerification(result: VerificationResult): string {
  const verdict = result.ok ? "VALID" : `NOT VALID (exit ${result.exitCode})`;
  const where = result.firstBadIndex === undefined ? [] : [`first bad index: ${result.firstBadIndex}`];
  const lines = [
    ...[verdict, ...where, ...result.notices],
    ...result.findings.map(
      ({ code, exit, message, index }) => `  ${exit} ${code}: ${message}${index === undefined ? "" : ` [index ${index}]`}`,
    ),
    ...section("checked", result.checked),
    ...section("not checked", result.notChecked),
  ];
  return `${lines.map(printable).join("\n")}\n`;
}

function section(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [`${title}:`, ...items.map((item) => `  - ${item}`)];
}

/** Evidence is hostile: what it says must not steer the terminal that prints it. */
function printable(line: string): string {
  return line.replace(/[^\x20-\x7e]/g, "?");
}
