import { parsePolicy, policyText, shardAt, verifyReceipt } from "#audit";
import {
  type CertifiedPoint,
  decodeUtf8,
  type Hash,
  type Hasher,
  hashLeaf,
  type Membership,
  merkleRoot,
  type SeededRandom,
  toHash,
  toHex,
} from "#base";
import type { OrderedRecord, Replica } from "#replica";
import type { KeyMill } from "../keys.ts";

/** Receipts of one run that are checked, and certified heights whose trees are made again. */
const SAMPLES = 2;

/** What the samples are checked with. */
export interface LogContext {
  readonly keys: KeyMill;
  readonly hasher: Hasher;
  readonly random: SeededRandom;
}

/** A few receipts of a node, by the offline verifier, the first members and the node's handovers, and nothing else. Returns what it found, and how many passed. */
export function checkReceipts(
  replica: Replica,
  records: readonly OrderedRecord[],
  { keys, hasher, random }: LogContext,
): { readonly wrong: readonly string[]; readonly passed: number } {
  const { policy, epochs } = pinnedAtFirst(replica, hasher);
  const wrong: string[] = [];
  let passed = 0;
  for (const record of random.shuffle(records).slice(0, SAMPLES)) {
    const receipt = record.height <= replica.status().certified.height ? replica.reader.receipt(record) : undefined;
    if (receipt === undefined) continue;
    const { findings } = verifyReceipt(receipt, policy, {
      hasher,
      epochs,
      ed25519: (publicKey, message, signature) => isValid(keys, { publicKey, message, signature }),
    });
    if (findings.length === 0) passed += 1;
    else wrong.push(`the receipt of ${record.command.slice(0, 8)}: ${findings.map(({ code }) => code).join(", ")}`);
  }
  return { wrong, passed };
}

/** The handovers that a node ought to hold, those of epochs of which a height is certified; undefined where one is missing. */
export function handoversOf(replica: Replica): readonly (Uint8Array | undefined)[] {
  const begun: (Uint8Array | undefined)[] = [];
  const { certified } = replica.status();
  for (let epoch = 1; (replica.state.epoch(epoch)?.firstHeight ?? Number.POSITIVE_INFINITY) <= certified.height; epoch++)
    begun.push(replica.reader.handover(epoch));
  return begun;
}

/** What an auditor holds who pinned the first members and got every handover from the node. */
function pinnedAtFirst(replica: Replica, hasher: Hasher): { readonly policy: string; readonly epochs: readonly Uint8Array[] } {
  const policy = replica.reader.policy();
  const epochs = handoversOf(replica).flatMap((handover) => handover ?? []);
  const first: Membership = replica.state.membershipAt(1);
  // The first epoch is the newest in most runs: the node's own file says it, and the verifier reads it.
  if (replica.state.membershipAt(Math.max(1, replica.status().certified.height)).epoch === first.epoch) return { policy, epochs };
  const newest = parsePolicy(policy, hasher);
  const members = first.members.map(({ id, weight, keys }) => ({ id, weight, log: keys.log, witness: keys.witness }));
  return { policy: policyText({ ...newest, epoch: first.epoch, members }, shardAt(replica.state.timeUs), hasher), epochs };
}

/** L1, by the node's entries: the trees that a quorum certified are prefixes of the log that it serves. Returns the heights where they are not. */
export function notPrefixes(replica: Replica, certified: readonly CertifiedPoint[], { hasher, random }: LogContext): readonly number[] {
  const { size } = replica.status().certified;
  const leaves = replica.reader.entries({ from: 0, to: size }).map((entry) => hashLeaf(hasher, entry));
  const rootOf = (to: number): Hash => toHash(merkleRoot(hasher, leaves.slice(0, to)));
  const points = random.shuffle(certified.filter((point) => point.size <= size)).slice(0, SAMPLES);
  return points.filter((point) => rootOf(point.size) !== point.root).map(({ height }) => height);
}

/** L1, by the bytes alone: a sampled entry names the hash of the one before it. Returns the numbers of those that do not. */
export function notLinked(replica: Replica, { hasher, random }: LogContext): readonly number[] {
  const { size } = replica.status().certified;
  const sampled = Array.from({ length: size < 2 ? 0 : SAMPLES }, () => random.between(1, size - 1));
  return sampled.filter((seq) => {
    const [before, entry] = replica.reader.entries({ from: seq - 1, to: seq + 1 });
    if (before === undefined || entry === undefined) return true;
    return !decodeUtf8(entry).includes(`"previousHash":"${toHex(hasher.sha256(before))}"`);
  });
}

function isValid(keys: KeyMill, claim: Parameters<KeyMill["verifier"]["verify"]>[0][number]): boolean {
  let valid = false;
  keys.verifier.verify([claim], ([verdict]) => {
    valid = verdict === true;
  });
  return valid;
}
