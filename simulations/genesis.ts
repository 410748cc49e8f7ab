import {
  type EngineName,
  encodeGenesis,
  encodeUtf8,
  type Member,
  type MemberKeys,
  type NodeId,
  type PublicKey,
  parseNodeId,
  parseSubjectId,
  toBase64Url,
} from "#base";
import type { KeyMill } from "./keys.ts";
import { START_US } from "./scheduler.ts";
import { toleratesNoFault } from "./shape.ts";

/** Whose log the simulated clusters keep. */
export const TRUST_DOMAIN = "sim.local";

/** What genesis says beside its members. */
export interface GenesisOptions {
  readonly nodes: number;
  readonly keys: KeyMill;
  /** PBFT when absent. */
  readonly engine?: EngineName;
  /** Heights in flight; 1 when absent. */
  readonly window?: number;
  readonly checkpointInterval?: number;
}

/**
 * Ids in the order of a membership. As keys of an object they are the very strings that parsing genesis gives: those are compared without looking
 * at their letters.
 */
export function nodeIds(nodes: number): NodeId[] {
  const ids = Array.from({ length: nodes }, (_, index) => `node-${String(index + 1).padStart(2, "0")}`);
  return Object.keys(Object.fromEntries(ids.map((id) => [id, 0]))).map(parseNodeId);
}

/** Heights between a change of members and the first height of its epoch. */
export function activationDelayOf(window: number): number {
  return Math.max(2, window + 1);
}

/** The genesis of a simulated cluster with these members. */
export function genesisOf(options: GenesisOptions, members: readonly Member[]): Uint8Array {
  const { keys, engine = "pbft", window = 1, checkpointInterval } = options;
  return encodeGenesis({
    environment: "development",
    trustDomain: TRUST_DOMAIN,
    engine,
    protocol: 1,
    window,
    activationDelay: activationDelayOf(window),
    ...(checkpointInterval === undefined ? {} : { checkpointInterval }),
    zeroFaultTolerance: toleratesNoFault({ nodes: options.nodes, engine }),
    timeUs: START_US - 10_000_000,
    membership: { epoch: 0, members },
    operators: [{ id: parseSubjectId("operator-1"), key: keys.keyOf("operator-1").publicKey, roles: ["operator"] }],
    issuers: [{ id: parseSubjectId("issuer-1"), key: keys.keyOf("issuer-1").publicKey }],
  });
}

/** A member whose keys follow from its id. */
export function memberOf(keys: KeyMill, id: NodeId, weight: number): Member {
  return {
    id,
    weight,
    keys: memberKeysOf(keys, id),
    peerAddress: `${id}:1`,
    httpUrl: `http://${id}`,
    tlsAuthority: toBase64Url(encodeUtf8(`authority ${id}`)),
  };
}

/** The keys of a node of a name. */
export function memberKeysOf(keys: KeyMill, name: string): MemberKeys {
  const key = (role: string): PublicKey => keys.keyOf(`${name}/${role}`).publicKey;
  return {
    vote: key("vote"),
    log: key("log"),
    witness: key("witness"),
    gateway: key("gateway"),
    tls: toBase64Url(encodeUtf8(`tls ${name}`)),
  };
}
