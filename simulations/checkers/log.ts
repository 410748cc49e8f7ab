import { verifyReceipt } from "#audit";
import { type CertifiedPoint, type Hash, type Hasher, hashLeaf, merkleRoot, type SeededRandom, toHash } from "#base";
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

/** A few receipts of a node, by the offline verifier and nothing else. Returns what it found, and how many passed. */
export function checkReceipts(
  replica: Replica,
  records: readonly OrderedRecord[],
  { keys, hasher, random }: LogContext,
): { readonly wrong: readonly string[]; readonly passed: number } {
  const policy = replica.reader.policy();
  const wrong: string[] = [];
  let passed = 0;
  for (const record of random.shuffle(records).slice(0, SAMPLES)) {
    const receipt = record.height <= replica.status().certified.height ? replica.reader.receipt(record) : undefined;
    if (receipt === undefined) continue;
    const { findings } = verifyReceipt(receipt, policy, {
      hasher,
      ed25519: (publicKey, message, signature) => isValid(keys, { publicKey, message, signature }),
    });
    if (findings.length === 0) passed += 1;
    else wrong.push(`the receipt of ${record.command.slice(0, 8)}: ${findings.map(({ code }) => code).join(", ")}`);
  }
  return { wrong, passed };
}

/** L1, by the node's entries: the trees that a quorum certified are prefixes of the log that it serves. Returns the heights where they are not. */
export function notPrefixes(replica: Replica, certified: readonly CertifiedPoint[], { hasher, random }: LogContext): readonly number[] {
  const { size } = replica.status().certified;
  const leaves = replica.reader.entries({ from: 0, to: size }).map((entry) => hashLeaf(hasher, entry));
  const rootOf = (to: number): Hash => toHash(merkleRoot(hasher, leaves.slice(0, to)));
  const points = random.shuffle(certified.filter((point) => point.size <= size)).slice(0, SAMPLES);
  return points.filter((point) => rootOf(point.size) !== point.root).map(({ height }) => height);
}

function isValid(keys: KeyMill, claim: Parameters<KeyMill["verifier"]["verify"]>[0][number]): boolean {
  let valid = false;
  keys.verifier.verify([claim], ([verdict]) => {
    valid = verdict === true;
  });
  return valid;
}
