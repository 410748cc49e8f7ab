import { toHash } from "./bytes.ts";
import { encodeCanonical, parseCanonicalObject } from "./canonical.ts";
import { FieldReader } from "./fields.ts";
import { type Hasher, hashInDomain } from "./hasher.ts";
import { type Hash, type NodeId, parseHash, parseNodeId } from "./ids.ts";

const MAX = Number.MAX_SAFE_INTEGER;

/** The newest certified checkpoint that a proposer knows: block height, size and root of the log after that block. */
export interface CertifiedPoint {
  readonly height: number;
  readonly size: number;
  readonly root: Hash;
}

/**
 * A block's header. A re-proposal in a later view keeps these bytes: `originView` is the view of the first proposal, so that
 * all honest nodes write the same entries whichever view decided.
 */
export interface BlockHeader {
  /** Version of rules and formats. */
  readonly protocol: number;
  readonly cluster: Hash;
  readonly epoch: number;
  /** The first block has height 1. */
  readonly height: number;
  readonly originView: number;
  readonly proposer: NodeId;
  /** Agreed time, microseconds since 1970; later than the parent's. */
  readonly timeUs: number;
  /** Digest of the parent's header; zeros for height 1. */
  readonly parent: Hash;
  /** Merkle root (RFC 6962) over the encoded signed commands. */
  readonly commandsRoot: Hash;
  readonly certified: CertifiedPoint;
}

/** Canonical bytes of a header. */
export function encodeHeader(header: BlockHeader): Uint8Array {
  const { height, size, root } = header.certified;
  return encodeCanonical({
    v: 1,
    protocol: header.protocol,
    cluster: header.cluster,
    epoch: header.epoch,
    height: header.height,
    originView: header.originView,
    proposer: header.proposer,
    time: String(header.timeUs),
    parent: header.parent,
    commandsRoot: header.commandsRoot,
    certified: { height, size, root },
  });
}

/** Reads canonical header bytes. @throws {QuorumgateError} format errors */
export function parseHeader(bytes: Uint8Array): BlockHeader {
  const reader = new FieldReader(parseCanonicalObject(bytes), "header");
  reader.integer("v", { min: 1, max: 1 });
  const certified = reader.object("certified");
  const header: BlockHeader = {
    protocol: reader.integer("protocol", { min: 1, max: MAX }),
    cluster: parseHash(reader.text("cluster")),
    epoch: reader.integer("epoch", { min: 0, max: MAX }),
    height: reader.integer("height", { min: 1, max: MAX }),
    originView: reader.integer("originView", { min: 0, max: MAX }),
    proposer: parseNodeId(reader.text("proposer")),
    timeUs: reader.decimal("time"),
    parent: parseHash(reader.text("parent")),
    commandsRoot: parseHash(reader.text("commandsRoot")),
    certified: {
      height: certified.integer("height", { min: 0, max: MAX }),
      size: certified.integer("size", { min: 0, max: MAX }),
      root: parseHash(certified.text("root")),
    },
  };
  certified.end();
  reader.end();
  return header;
}

/** SHA-256 of `"quorumgate/header/v1\0" ‖ canonical bytes`. */
export function headerDigest(hasher: Hasher, headerBytes: Uint8Array): Hash {
  return toHash(hashInDomain(hasher, "quorumgate/header/v1\0", headerBytes));
}
