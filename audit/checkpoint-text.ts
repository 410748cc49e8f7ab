import { fromBase64, type Hash, parseDecimal, QuorumgateError, toHash } from "#base";
import type { ShardName } from "./shard.ts";

export { checkpointText, logSignatureMessage, witnessSignatureMessage } from "#base";

/** A root of the log that can be signed: what a checkpoint says. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
}

/** The state of the log after a block. Of an empty log: no origin, size 0, the root of the empty tree. */
export interface LogPoint extends Checkpoint {
  readonly shard: ShardName;
  /** Agreed time of the block, microseconds since 1970. */
  readonly timeUs: number;
}

/** Reads a checkpoint's text strictly. @throws {QuorumgateError} VERIFY_MALFORMED */
export function parseCheckpointText(text: string): Checkpoint {
  const [origin = "", size = "", root = "", rest, ...more] = text.split("\n");
  if (origin === "" || rest !== "" || more.length > 0) throw malformed("a checkpoint has the lines origin, size and root");
  try {
    return { origin, size: parseDecimal(size, "size"), root: toHash(fromBase64(root)) };
  } catch (cause) {
    throw malformed("a checkpoint's size is a plain decimal and its root strict base64 of 32 bytes", cause);
  }
}

/** The W time of a point: the block's agreed time in whole seconds, so that a cosignature made again has the same bytes. */
export function cosignatureSeconds(point: { readonly timeUs: number }): number {
  return Math.floor(point.timeUs / 1_000_000);
}

function malformed(reason: string, cause?: unknown): QuorumgateError {
  return new QuorumgateError("VERIFY_MALFORMED", reason, cause === undefined ? {} : { cause });
}
