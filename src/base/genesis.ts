import { equalBytes, toHash } from "./bytes.ts";
import { type CanonicalObject, type CanonicalValue, encodeCanonical, parseCanonicalObject } from "./canonical.ts";
import { QuorumgateError } from "./errors.ts";
import { FieldReader } from "./fields.ts";
import type { Hasher } from "./hasher.ts";
import { type Hash, type PublicKey, parsePublicKey, parseSubjectId, type SubjectId } from "./ids.ts";
import { LIMITS } from "./limits.ts";
import { checkMembership, type Member, type Membership, memberToCanonical, parseMember } from "./membership.ts";
import { ENGINES, type EngineName } from "./quorum.ts";

/** What an operator key may do. `operator`: grants, revocations, governance; `auditor`: reads the log. */
export type OperatorRole = "operator" | "auditor";

/** A person or machine that governs the cluster, named in genesis. */
export interface Operator {
  readonly id: SubjectId;
  readonly key: PublicKey;
  readonly roles: readonly OperatorRole[];
}

/** A trusted issuer of attestations. */
export interface Issuer {
  readonly id: SubjectId;
  readonly key: PublicKey;
}

/** The first agreement: everything that the members have to agree on before the first block. */
export interface Genesis {
  readonly environment: "production" | "development";
  readonly trustDomain: string;
  readonly engine: EngineName;
  /** Version of rules and formats that apply() starts with. */
  readonly protocol: number;
  /** Heights in flight. */
  readonly window: number;
  /** Heights from the commit of a membership change to its start; at least 2. */
  readonly activationDelay: number;
  /** Heights between stable checkpoints, where it is another number than `LIMITS.stableCheckpointInterval`. */
  readonly checkpointInterval?: number;
  /** Declared when one member's fault cannot be tolerated (1 to 3 nodes). */
  readonly zeroFaultTolerance: boolean;
  /** Agreed time before the first block, microseconds since 1970. */
  readonly timeUs: number;
  readonly membership: Membership;
  readonly operators: readonly Operator[];
  readonly issuers: readonly Issuer[];
}

const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;

/** The canonical bytes of a genesis; their SHA-256 is the cluster id. */
export function encodeGenesis(genesis: Genesis): Uint8Array {
  return encodeCanonical({
    v: 1,
    environment: genesis.environment,
    trustDomain: genesis.trustDomain,
    engine: genesis.engine,
    protocol: genesis.protocol,
    window: genesis.window,
    activationDelay: genesis.activationDelay,
    ...(genesis.checkpointInterval === undefined ? {} : { checkpointInterval: genesis.checkpointInterval }),
    zeroFaultTolerance: genesis.zeroFaultTolerance,
    time: String(genesis.timeUs),
    members: genesis.membership.members.map(memberToCanonical),
    operators: genesis.operators.map(({ id, key, roles }): CanonicalObject => ({ id, key, roles: [...roles] })),
    issuers: genesis.issuers.map(({ id, key }): CanonicalObject => ({ id, key })),
  });
}

/** Cluster id: SHA-256 of the genesis bytes. */
export function clusterIdOf(hasher: Hasher, genesisBytes: Uint8Array): Hash {
  return toHash(hasher.sha256(genesisBytes));
}

/** The genesis that was read last: the rooms of a node, and all nodes of a simulation, ask for the same one again and again. */
let last: { readonly bytes: Uint8Array; readonly genesis: Genesis } | undefined;

/** Reads and checks genesis bytes. @throws {QuorumgateError} GENESIS_INVALID, MEMBERSHIP_INVALID and format errors */
export function parseGenesis(bytes: Uint8Array): Genesis {
  if (last !== undefined && equalBytes(last.bytes, bytes)) return last.genesis;
  const genesis = readGenesis(bytes);
  last = { bytes: bytes.slice(), genesis };
  return genesis;
}

function readGenesis(bytes: Uint8Array): Genesis {
  const reader = new FieldReader(parseCanonicalObject(bytes), "genesis");
  reader.integer("v", { min: 1, max: 1 });
  const genesis: Genesis = {
    environment: oneOf(reader.text("environment"), ["production", "development"] as const),
    trustDomain: parseTrustDomain(reader.text("trustDomain")),
    engine: oneOf(reader.text("engine"), ENGINES),
    protocol: reader.integer("protocol", { min: 1, max: 1 }),
    window: reader.integer("window", { min: 1, max: LIMITS.windowMax }),
    activationDelay: reader.integer("activationDelay", { min: 2, max: 1_000 }),
    ...readInterval(reader),
    zeroFaultTolerance: reader.boolean("zeroFaultTolerance"),
    timeUs: reader.decimal("time"),
    membership: { epoch: 0, members: reader.list("members", LIMITS.membersMax).map(parseMember) },
    operators: reader.list("operators", 256).map(parseOperator),
    issuers: reader.list("issuers", 256).map(parseIssuer),
  };
  reader.end();
  checkGenesis(genesis);
  return genesis;
}

/** Heights between stable checkpoints. */
export function checkpointIntervalOf(genesis: Pick<Genesis, "checkpointInterval">): number {
  return genesis.checkpointInterval ?? LIMITS.stableCheckpointInterval;
}

/** Checks what no single field shows. @throws {QuorumgateError} GENESIS_INVALID, MEMBERSHIP_INVALID */
export function checkGenesis(genesis: Genesis): void {
  checkMembership(genesis.membership, genesis);
  // What is in flight when a change is committed must be decided before the change is active (ARCHITECTURE, Membership).
  if (genesis.activationDelay <= genesis.window) throw invalid("the activation delay must be above the window");
  const keys = new Set<string>(genesis.membership.members.flatMap((member: Member) => Object.values(member.keys)));
  const people = [...genesis.operators, ...genesis.issuers];
  for (const { id, key } of people) {
    if (keys.has(key)) throw invalid(`the key of ${id} has another role already`);
    keys.add(key);
  }
  for (const list of [genesis.operators, genesis.issuers]) {
    if (new Set(list.map((item) => item.id)).size !== list.length) throw invalid("two operators or two issuers share an id");
  }
}

function readInterval(reader: FieldReader): { checkpointInterval?: number } {
  if (!reader.has("checkpointInterval")) return {};
  const checkpointInterval = reader.integer("checkpointInterval", { min: 1, max: LIMITS.checkpointIntervalMax });
  if (checkpointInterval === LIMITS.stableCheckpointInterval) throw invalid("the usual checkpoint interval is not written");
  return { checkpointInterval };
}

function parseTrustDomain(text: string): string {
  if (!TRUST_DOMAIN.test(text)) throw invalid("the trust domain breaks its grammar");
  return text;
}

function parseOperator(value: CanonicalValue): Operator {
  const reader = new FieldReader(value, "operator");
  const roles = reader.texts("roles", { countMax: 8, lengthMax: 32 }).map((role) => oneOf(role, ["operator", "auditor"] as const));
  const operator = { id: parseSubjectId(reader.text("id")), key: parsePublicKey(reader.text("key")), roles };
  reader.end();
  return operator;
}

function parseIssuer(value: CanonicalValue): Issuer {
  const reader = new FieldReader(value, "issuer");
  const issuer = { id: parseSubjectId(reader.text("id")), key: parsePublicKey(reader.text("key")) };
  reader.end();
  return issuer;
}

function oneOf<T extends string>(text: string, allowed: readonly T[]): T {
  const found = allowed.find((item) => item === text);
  if (found === undefined) throw invalid(`one of ${allowed.join(", ")} was expected`);
  return found;
}

function invalid(reason: string): QuorumgateError {
  return new QuorumgateError("GENESIS_INVALID", reason);
}
