import { parseNodeId, QuorumgateError } from "#base";
import type { Proposal } from "../block.ts";
import type { RestoredLog } from "../core.ts";
import { readProposal } from "../proposing.ts";
import { decodeEntry, decodeHardState, decodeMemory } from "./codec.ts";
import { follows } from "./proposals.ts";
import { HARD_STATE_KEY, MEMORY_KEY, readEntryKey } from "./records.ts";
import type { RaftState } from "./state.ts";

/**
 * Puts a core back where it stood: term, vote, and the entries that follow the tip. Entries that do not follow it were replaced by decided blocks.
 * @throws {QuorumgateError} STORAGE_CORRUPT and format errors
 */
export function restoreRecords(state: RaftState, restored: RestoredLog): void {
  state.settled = false;
  const entries = new Map<number, Proposal>();
  for (const { key, bytes } of restored.records) {
    state.records.add(key);
    const height = readEntryKey(key);
    if (key === HARD_STATE_KEY) restoreHardState(state, bytes);
    else if (key === MEMORY_KEY) state.incarnation = decodeMemory(bytes);
    else if (height === undefined) throw corrupt();
    else entries.set(height, readEntry(state, height, bytes));
  }
  const { log } = state;
  for (let next = entries.get(log.last.height + 1); next !== undefined; next = entries.get(log.last.height + 1)) {
    if (!follows(state, next, log.last)) break;
    log.append(next);
    state.term = Math.max(state.term, next.header.originView);
  }
  const kept = log.last.height;
  state.forgetEntries([...entries.keys()].filter((height) => height > kept));
}

function restoreHardState(state: RaftState, bytes: Uint8Array): void {
  const { term, vote, settled } = decodeHardState(bytes);
  state.settled = settled;
  if (term < state.term) return;
  state.term = term;
  state.vote = vote === "" ? undefined : parseNodeId(vote);
}

function readEntry(state: RaftState, height: number, bytes: Uint8Array): Proposal {
  const proposal = readProposal(state.settings.hasher, decodeEntry(bytes));
  if (proposal?.header.height !== height) throw corrupt();
  return proposal;
}

function corrupt(): QuorumgateError {
  return new QuorumgateError("STORAGE_CORRUPT", "a record of the consensus core is of the wrong kind");
}
