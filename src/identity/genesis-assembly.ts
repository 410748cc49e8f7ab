import {
  type EngineName,
  encodeGenesis,
  faultModelOf,
  type Genesis,
  type Issuer,
  LIMITS,
  type Operator,
  parseGenesis,
  QuorumgateError,
} from "#base";
import type { Ed25519 } from "#crypto";
import { readNodeFile } from "./node-file.ts";

/** Clusters of up to three nodes survive no Byzantine fault, and those of up to two no crash, whatever their weights. */
const ZERO_FAULT_NODES = { byzantine: 3, crash: 2 } as const;

/** Heights in flight by default: a follower of raft has nothing to vote on, so its leader need not wait for it. */
const DEFAULT_WINDOW: Readonly<Record<EngineName, number>> = { pbft: 1, tendermint: 1, raft: 8 };

/** What the institutions agree on, and the files that they gave out. */
export interface GenesisParts {
  readonly environment: Genesis["environment"];
  readonly trustDomain: string;
  /** pbft when absent. */
  readonly engine?: EngineName;
  /** Heights in flight; the engine's default when absent. */
  readonly window?: number;
  /** Heights between stable checkpoints; `LIMITS.stableCheckpointInterval` when absent. */
  readonly checkpointInterval?: number;
  /** Bytes of each institution's node.json, in any order. */
  readonly nodeFiles: readonly Uint8Array[];
  readonly operators: readonly Operator[];
  readonly issuers: readonly Issuer[];
  /** Agreed time before the first block, microseconds since 1970. */
  readonly timeUs: number;
}

/**
 * The genesis bytes: the same for everybody who has the same parts, so that each institution can assemble them itself and compare the
 * hash. Every node file's proofs are checked, at the genesis time.
 * @throws {QuorumgateError} GENESIS_INVALID, MEMBERSHIP_INVALID, IDENTITY_NODE_FILE_INVALID and format errors
 */
export function assembleGenesis(ed25519: Ed25519, parts: GenesisParts): Uint8Array {
  const files = parts.nodeFiles.map((bytes) => readNodeFile(ed25519, bytes, { nowMs: parts.timeUs / 1_000 }));
  const stranger = files.find((file) => file.trustDomain !== parts.trustDomain);
  if (stranger !== undefined) throw invalid(`the node file of ${stranger.member.id} is for another trust domain`);
  if (parts.trustDomain.startsWith("dev.") !== (parts.environment === "development")) {
    throw invalid("trust domains of development clusters, and only those, begin with `dev.`");
  }
  const { engine = "pbft" } = parts;
  const { window = DEFAULT_WINDOW[engine] } = parts;
  const members = files.map((file) => file.member).sort((left, right) => (left.id < right.id ? -1 : 1));
  const bytes = encodeGenesis({
    environment: parts.environment,
    trustDomain: parts.trustDomain,
    engine,
    protocol: 1,
    window,
    activationDelay: window + 1,
    ...intervalOf(parts),
    zeroFaultTolerance: members.length <= ZERO_FAULT_NODES[faultModelOf(engine)],
    timeUs: parts.timeUs,
    membership: { epoch: 0, members },
    operators: parts.operators,
    issuers: parts.issuers,
  });
  parseGenesis(bytes);
  return bytes;
}

/** The usual interval is not written: equal parts give equal bytes. */
function intervalOf({ checkpointInterval = LIMITS.stableCheckpointInterval }: GenesisParts): Pick<Genesis, "checkpointInterval"> {
  return checkpointInterval === LIMITS.stableCheckpointInterval ? {} : { checkpointInterval };
}

function invalid(reason: string): QuorumgateError {
  return new QuorumgateError("GENESIS_INVALID", reason);
}
