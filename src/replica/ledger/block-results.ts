import type { AppendedBlock } from "#audit";
import type { AppliedBlock, Hash, SignedCommand } from "#base";
import type { CommitCertificate, Proposal } from "#consensus";
import type { BlockEvent, OrderedRecord } from "../types.ts";

/** A decided block with its commands as they were read. */
export interface DecidedCommands {
  readonly proposal: Proposal;
  readonly certificate: CommitCertificate;
  readonly commands: readonly SignedCommand[];
}

/** A block as its observers see it. */
export function eventOf(block: DecidedCommands, applied: AppliedBlock, appended: AppendedBlock): BlockEvent {
  const { header, digest } = block.proposal;
  return {
    height: header.height,
    timeUs: header.timeUs,
    view: block.certificate.view,
    digest,
    stateHash: applied.stateHash,
    firstSeq: appended.entries[0]?.seq ?? 0,
    entries: applied.entries,
    results: applied.results,
  };
}

/** What became of a command in a block, and when it was issued. */
export interface ResultRecord {
  readonly record: OrderedRecord;
  readonly issuedAtUs: number;
}

/** One record for each command: a leader that orders one twice in a block does not replace its first answer by the second. */
export function recordsOf(block: DecidedCommands, applied: AppliedBlock, appended: AppendedBlock): ResultRecord[] {
  const { height, timeUs } = block.proposal.header;
  const seen = new Set<Hash>();
  return applied.results.flatMap(({ command, outcome, code, answer, entry }, at) => {
    const signed = block.commands[at];
    if (seen.has(command) || signed === undefined) return [];
    seen.add(command);
    const seq = entry === undefined ? undefined : appended.entries[entry]?.seq;
    const record =
      seq === undefined ? { command, height, timeUs, outcome, code, answer } : { command, height, timeUs, outcome, code, answer, seq };
    return [{ record, issuedAtUs: signed.command.issuedAtUs }];
  });
}
