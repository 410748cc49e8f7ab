import { fromBase64, parseDecimal, QuorumgateError, toBase64 } from "#base";

const HEADER = "c2sp.org/tlog-proof@v1";
/** Hashes of an inclusion path: a tree of 2^63 leaves. */
const PATH_MAX = 63;
/** A receipt's length: the largest entry in base64, a path and a note. */
const RECEIPT_LENGTH_MAX = 262_144;

/** An entry, the proof that it is in the log, and the checkpoint that a quorum signed (C2SP tlog-proof). */
export interface Receipt {
  /** The entry's bytes, the `extra` of the proof: the leaf is computed from them. */
  readonly entry: Uint8Array;
  /** Index in the shard's tree. */
  readonly index: number;
  /** 32-byte hashes from leaf to root. */
  readonly proof: readonly Uint8Array[];
  /** The signed note. */
  readonly checkpoint: string;
}

/** The receipt as a tlog-proof. */
export function receiptText({ entry, index, proof, checkpoint }: Receipt): string {
  const hashes = proof.map((hash) => `${toBase64(hash)}\n`).join("");
  return `${HEADER}\nextra ${toBase64(entry)}\nindex ${index}\n${hashes}\n${checkpoint}`;
}

/** Reads a tlog-proof strictly; one without an entry is no receipt. @throws {QuorumgateError} VERIFY_MALFORMED */
export function parseReceipt(text: string): Receipt {
  if (text.length > RECEIPT_LENGTH_MAX) throw malformed("the receipt is too long");
  const split = text.indexOf("\n\n");
  const [header, extra = "", index = "", ...hashes] = text.slice(0, Math.max(split, 0)).split("\n");
  if (split < 0 || header !== HEADER) throw malformed("not a tlog-proof of version 1");
  if (!extra.startsWith("extra ") || !index.startsWith("index ")) throw malformed("a receipt has the lines extra and index");
  if (hashes.length > PATH_MAX) throw malformed("the path is too long");
  try {
    const proof = hashes.map(fromBase64);
    if (proof.some((hash) => hash.length !== 32)) throw malformed("a path holds hashes of 32 bytes");
    return { entry: fromBase64(extra.slice(6)), index: parseDecimal(index.slice(6), "index"), proof, checkpoint: text.slice(split + 2) };
  } catch (cause) {
    throw new QuorumgateError("VERIFY_MALFORMED", "the receipt's index is a plain decimal, its entry and hashes strict base64", { cause });
  }
}

function malformed(reason: string): QuorumgateError {
  return new QuorumgateError("VERIFY_MALFORMED", reason);
}
