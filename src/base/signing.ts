import { ByteWriter } from "./byte-codec.ts";
import { concatBytes, fromHex, toBase64 } from "./bytes.ts";
import type { Hash } from "./ids.ts";
import { encodeUtf8 } from "./utf8.ts";

/** What a signature is for. One key signs for few purposes, and no bytes mean something under two of them. */
export const PURPOSES = [
  "command",
  "command-batch",
  "proposal",
  "vote",
  "view-change",
  "new-view",
  "sync",
  "attestation",
  "approval",
  "delegation",
  "endorsement",
  "decision",
  "envelope",
  "channel",
  "pairing",
  "key-possession",
  "status",
] as const;

/** See PURPOSES. */
export type Purpose = (typeof PURPOSES)[number];

const PREFIXES = new Map<Purpose, Uint8Array>(PURPOSES.map((purpose) => [purpose, encodeUtf8(`quorumgate/${purpose}/v1\0`)]));

/** The bytes that are signed: `"quorumgate/" ‖ purpose ‖ "/v1\0" ‖ body`. */
export function signedBytes(purpose: Purpose, body: Uint8Array): Uint8Array {
  return concatBytes(PREFIXES.get(purpose) ?? encodeUtf8(`quorumgate/${purpose}/v1\0`), body);
}

/** A node writes the text of one point for its own cosignature, for each that it checks, and for the note. */
const TEXTS = new WeakMap<object, string>();

/** `origin\nsize\nbase64(root)\n`, without extension lines. Source: C2SP tlog-checkpoint. */
export function checkpointText(point: { readonly origin: string; readonly size: number; readonly root: Hash }): string {
  let text = TEXTS.get(point);
  if (text === undefined) {
    text = `${point.origin}\n${point.size}\n${toBase64(fromHex(point.root))}\n`;
    TEXTS.set(point, text);
  }
  return text;
}

/** The bytes that an L key (role `log`) signs: the note's text itself. Source: C2SP signed-note. */
export function logSignatureMessage(text: string): Uint8Array {
  return encodeUtf8(text);
}

/** The bytes that a W key (role `witness`) signs. Source: C2SP tlog-cosignature, cosignature/v1. */
export function witnessSignatureMessage(cosigned: { readonly text: string; readonly seconds: number }): Uint8Array {
  return encodeUtf8(`cosignature/v1\ntime ${cosigned.seconds}\n${cosigned.text}`);
}

/** Vote types, numbered once for all engines. Numbers are never used again. */
export const VOTE_TYPE = {
  pbftPropose: 1,
  pbftPrepare: 2,
  pbftCommit: 3,
  tendermintPropose: 4,
  tendermintPrevote: 5,
  tendermintPrecommit: 6,
  /** Nil votes: for no block in this round; their digest is zeros. */
  tendermintPrevoteNil: 7,
  tendermintPrecommitNil: 8,
} as const;

/** See VOTE_TYPE. */
export type VoteType = (typeof VOTE_TYPE)[keyof typeof VOTE_TYPE];

/** What a vote says. `validRound` is −1 wherever it has no meaning. */
export interface VoteBody {
  /** Cluster id, 32 bytes. */
  readonly cluster: Uint8Array;
  readonly epoch: number;
  readonly height: number;
  readonly view: number;
  readonly type: VoteType;
  /** Digest of the block header, 32 bytes. */
  readonly digest: Uint8Array;
  readonly validRound: number;
}

/** cluster (32) ‖ epoch u64 ‖ height u64 ‖ view u64 ‖ type u8 ‖ digest (32) ‖ valid round i64, big-endian: 105 bytes. */
export function encodeVoteBody(vote: VoteBody): Uint8Array {
  return new ByteWriter()
    .raw(vote.cluster)
    .u64(vote.epoch)
    .u64(vote.height)
    .u64(vote.view)
    .u8(vote.type)
    .raw(vote.digest)
    .i64(vote.validRound)
    .finish();
}
