import {
  type FaultModel,
  faultModelOf,
  type Genesis,
  type Hash,
  type Hasher,
  isQuorum,
  LIMITS,
  type Membership,
  type NodeId,
  type PublicKey,
  parseDecimal,
  parseHash,
  parseNodeId,
  parsePublicKey,
  portableHasher,
  QuorumgateError,
} from "#base";
import { logKeyOf, witnessKeyOf } from "./checkpoint.ts";
import { formatVerifierKey, type NoteKey, parseVerifierKey, SIGNATURE_TYPE } from "./note.ts";
import { isShardName, type ShardName, shardOfOrigin, shardOrigin } from "./shard.ts";

/** A node as an auditor has to know it. */
export interface PolicyMember {
  readonly id: NodeId;
  readonly weight: number;
  /** L. */
  readonly log: PublicKey;
  /** W. */
  readonly witness: PublicKey;
}

/** Whose signatures make a checkpoint valid. An auditor gets it through another channel than the evidence. */
export interface Policy {
  readonly cluster: Hash;
  readonly trustDomain: string;
  readonly environment: "production" | "development";
  readonly faultModel: FaultModel;
  /** Declared in genesis: one member's fault cannot be tolerated. */
  readonly zeroFaultTolerance: boolean;
  readonly epoch: number;
  /** In ascending id. */
  readonly members: readonly PolicyMember[];
  /** Witnesses outside the cluster: their lines may stand in a note after the quorum's. */
  readonly outsideWitnesses: readonly NoteKey[];
}

const TITLE = "# Verification policy of a quorumgate cluster: C2SP tlog-policy, with exact weights in the comments below.";
const PREFIX = "#quorumgate ";
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
/** A policy file of a full cluster has some 100 lines. */
const POLICY_LENGTH_MAX = 131_072;

/** The policy of a cluster's epoch. */
export function policyOf(source: { readonly genesis: Genesis; readonly cluster: Hash; readonly membership?: Membership }): Policy {
  const { genesis, cluster, membership = genesis.membership } = source;
  return {
    cluster,
    trustDomain: genesis.trustDomain,
    environment: genesis.environment,
    faultModel: faultModelOf(genesis.engine),
    zeroFaultTolerance: genesis.zeroFaultTolerance,
    epoch: membership.epoch,
    members: membership.members.map(({ id, weight, keys }) => ({ id, weight, log: keys.log, witness: keys.witness })),
    outsideWitnesses: [],
  };
}

/**
 * The policy file. Its `log` lines are those of one shard, because a key's name there is the shard's origin and C2SP allows a key once; our
 * verifier takes the keys from the comments, which hold for every shard.
 */
export function policyText(policy: Policy, shard: ShardName, hasher: Hasher = portableHasher): string {
  const origin = shardOrigin(policy, shard);
  const vkey = (key: NoteKey): string => formatVerifierKey(hasher, key);
  const { members } = policy;
  return [
    TITLE,
    `${PREFIX}policy 1`,
    `${PREFIX}cluster ${policy.cluster}`,
    `${PREFIX}trust-domain ${policy.trustDomain}`,
    `${PREFIX}environment ${policy.environment}`,
    `${PREFIX}fault-model ${policy.faultModel}`,
    `${PREFIX}zero-fault-tolerance ${policy.zeroFaultTolerance}`,
    `${PREFIX}epoch ${policy.epoch}`,
    ...members.map(({ id, weight, log, witness }) => `${PREFIX}member ${id} weight ${weight} log ${log} witness ${witness}`),
    "",
    ...members.map((member) => `log ${vkey(logKeyOf(member.log, origin))}`),
    ...members.map((member) => `witness ${member.id} ${vkey(witnessKeyOf(member, policy.trustDomain))}`),
    ...policy.outsideWitnesses.map((key, at) => `witness outside-${at + 1} ${vkey(key)}`),
    "",
    `group cluster ${leastSufficientCount(policy)} ${members.map(({ id }) => id).join(" ")}`,
    "quorum cluster",
    "",
  ].join("\n");
}

/** The least K such that any K members, even the lightest, are a quorum: what C2SP's counting groups can say of weights. */
export function leastSufficientCount(policy: Policy): number {
  const lightestFirst = policy.members.map(({ weight }) => weight).sort((left, right) => left - right);
  let [sum, count] = [0, 0];
  for (const weight of lightestFirst) {
    sum += weight;
    count += 1;
    if (isQuorum(sum, totalPolicyWeight(policy), policy.faultModel)) break;
  }
  return count;
}

/** Sum of the members' weights. */
export function totalPolicyWeight(policy: Policy): number {
  return policy.members.reduce((sum, { weight }) => sum + weight, 0);
}

/**
 * Reads a policy file. Comments of others are ignored; the C2SP lines must say the same as the `#quorumgate` comments, since a file that
 * tells two verifiers two things is not one policy.
 * @throws {QuorumgateError} VERIFY_MALFORMED
 */
export function parsePolicy(text: string, hasher: Hasher = portableHasher): Policy {
  if (text.length > POLICY_LENGTH_MAX) throw malformed("it is too long");
  const lines = text.split("\n").map((line) => line.trim());
  const facts = new Facts(lines.filter((line) => line.startsWith(PREFIX)).map((line) => line.slice(PREFIX.length).split(" ")));
  const directives = lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => line.split(/[ \t]+/));
  try {
    const policy = policyFromFacts(facts);
    return { ...policy, outsideWitnesses: checkDirectives(policy, directives, hasher) };
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : "it does not parse", cause);
  }
}

function policyFromFacts(facts: Facts): Policy {
  facts.one("policy", ["1"]);
  const policy: Policy = {
    cluster: parseHash(facts.one("cluster")),
    trustDomain: facts.one("trust-domain"),
    environment: facts.one("environment", ["production", "development"]),
    faultModel: facts.one("fault-model", ["byzantine", "crash"]),
    zeroFaultTolerance: facts.one("zero-fault-tolerance", ["true", "false"]) === "true",
    epoch: parseDecimal(facts.one("epoch"), "epoch"),
    members: facts.all("member").map(parseMember),
    outsideWitnesses: [],
  };
  facts.end();
  if (!TRUST_DOMAIN.test(policy.trustDomain)) throw malformed("the trust domain breaks its grammar");
  checkMembers(policy);
  return policy;
}

function parseMember(words: readonly string[]): PolicyMember {
  const [id = "", weightWord, weight = "", logWord, log = "", witnessWord, witness = "", ...rest] = words;
  if (weightWord !== "weight" || logWord !== "log" || witnessWord !== "witness" || rest.length > 0) {
    throw malformed("a member line is: member ID weight N log KEY witness KEY");
  }
  return { id: parseNodeId(id), weight: parseDecimal(weight, "weight"), log: parsePublicKey(log), witness: parsePublicKey(witness) };
}

function checkMembers(policy: Policy): void {
  const { members } = policy;
  if (members.length === 0 || members.length > LIMITS.membersMax) throw malformed("it names no members, or too many");
  if (members.some(({ weight }) => weight === 0) || totalPolicyWeight(policy) > LIMITS.totalWeightMax)
    throw malformed("its weights are out of bounds");
  if (members.some(({ id }, at) => at > 0 && id <= (members[at - 1]?.id ?? "")))
    throw malformed("members stand in ascending, distinct ids");
  const keys = members.flatMap(({ log, witness }) => [log, witness]);
  // One key under two names would let one signer count twice.
  if (new Set(keys).size !== keys.length) throw malformed("a key has two roles");
}

/** Compares the C2SP lines with the policy; returns the outside witnesses that only they name. */
function checkDirectives(policy: Policy, directives: readonly (readonly string[])[], hasher: Hasher): NoteKey[] {
  const argumentsOf = (name: string): string[][] => directives.filter(([word]) => word === name).map(([, ...rest]) => rest);
  if (directives.some(([word = ""]) => !["log", "witness", "group", "quorum"].includes(word))) throw malformed("it has an unknown line");
  checkLogLines(policy, argumentsOf("log"), hasher);
  const outside = outsideWitnesses(policy, argumentsOf("witness"), hasher);
  const groups = argumentsOf("group");
  const expected = ["cluster", String(leastSufficientCount(policy)), ...policy.members.map(({ id }) => id)].join(" ");
  if (groups.length !== 1 || groups[0]?.join(" ") !== expected) throw malformed("the group is not the cluster's quorum");
  const quorums = argumentsOf("quorum");
  if (quorums.length !== 1 || quorums[0]?.join(" ") !== "cluster") throw malformed("the quorum is not the cluster's");
  return outside;
}

function checkLogLines(policy: Policy, lines: readonly (readonly string[])[], hasher: Hasher): void {
  const keys = lines.map(([vkey = ""]) => parseVerifierKey(hasher, vkey));
  const shards = new Set(keys.map((key) => shardOfOrigin(key.name, policy)));
  const [shard = ""] = shards;
  if (shards.size !== 1 || !isShardName(shard)) throw malformed("the log lines are those of one shard");
  const found = keys.map((key) => formatVerifierKey(hasher, key)).sort();
  const expected = policy.members.map(({ log }) => formatVerifierKey(hasher, logKeyOf(log, shardOrigin(policy, shard)))).sort();
  if (found.join(" ") !== expected.join(" ")) throw malformed("the log lines are not the members' keys");
}

function outsideWitnesses(policy: Policy, lines: readonly (readonly string[])[], hasher: Hasher): NoteKey[] {
  const byName = new Map(lines.map(([name = "", vkey = ""]) => [name, vkey]));
  if (byName.size !== lines.length) throw malformed("two witnesses share a name");
  for (const member of policy.members) {
    if (byName.get(member.id) !== formatVerifierKey(hasher, witnessKeyOf(member, policy.trustDomain)))
      throw malformed("a member's witness line differs");
    byName.delete(member.id);
  }
  const outside = [...byName.values()].map((vkey) => parseVerifierKey(hasher, vkey));
  if (outside.some(({ type }) => type !== SIGNATURE_TYPE.cosignature)) throw malformed("a witness key has type 4");
  return outside;
}

/** The `#quorumgate` comments: names with their words, each to be asked for. */
class Facts {
  readonly #facts: readonly (readonly string[])[];
  readonly #known = new Set<string>();

  constructor(facts: readonly (readonly string[])[]) {
    this.#facts = facts;
  }

  all(name: string): (readonly string[])[] {
    this.#known.add(name);
    return this.#facts.filter(([word]) => word === name).map(([, ...rest]) => rest);
  }

  one(name: string): string;
  one<T extends string>(name: string, allowed: readonly T[]): T;
  one(name: string, allowed?: readonly string[]): string {
    const [words, ...others] = this.all(name);
    const [value, ...rest] = words ?? [];
    const valid = value !== undefined && others.length === 0 && rest.length === 0 && (allowed?.includes(value) ?? true);
    if (!valid) throw malformed(`the comment \`${name}\` is missing, repeated or unknown`);
    return value;
  }

  end(): void {
    const unknown = this.#facts.find(([word = ""]) => !this.#known.has(word));
    if (unknown !== undefined) throw malformed("it has a #quorumgate comment that this version does not know");
  }
}

function malformed(reason: string, cause?: unknown): QuorumgateError {
  const message = reason.startsWith("the policy: ") ? reason : `the policy: ${reason}`;
  return new QuorumgateError("VERIFY_MALFORMED", message, cause === undefined ? {} : { cause });
}
