import {
  type CanonicalObject,
  encodeCommand,
  type Hash,
  type Hasher,
  type NodeId,
  parseSubjectId,
  type SeededRandom,
  type SignedCommand,
  type SubjectId,
  signedBytes,
  signedCommandOf,
  toBase64Url,
} from "#base";
import type { OrderedRecord } from "#replica";
import { attestationBytes, authorizeBody, type Capability, type CapabilityPattern, grantCreateBody, serviceRegisterBody } from "#state";
import { COMMAND_LIFETIME_US, type SimulatedCluster } from "./cluster.ts";
import type { KeyMill } from "./keys.ts";

/** One command as its client saw it. */
export interface Operation {
  readonly signed: SignedCommand;
  readonly submittedUs: number;
  answeredUs?: number;
  record?: OrderedRecord;
}

/** What a command asks for, in the few words that the model of authority needs. */
export interface Intent {
  readonly kind: "register" | "grant" | "authorize";
  readonly service: SubjectId;
  readonly operation?: string;
  readonly risk?: string;
}

const SERVICES = ["trading-service-001", "settlement-002", "agent-003"].map(parseSubjectId);
const ISSUER = parseSubjectId("issuer-1");
const OPERATOR = parseSubjectId("operator-1");

/** Clients that register services, grant, revoke and ask, in a seeded order, through seeded nodes. */
export class Workload {
  readonly operations: Operation[] = [];
  readonly #intents = new Map<Hash, Intent>();
  readonly #cluster: SimulatedCluster;
  readonly #clusterId: Hash;
  readonly #random: SeededRandom;
  readonly #keys: KeyMill;
  readonly #hasher: Hasher;

  constructor(options: { cluster: SimulatedCluster; clusterId: Hash; random: SeededRandom; keys: KeyMill; hasher: Hasher }) {
    this.#cluster = options.cluster;
    this.#clusterId = options.clusterId;
    this.#random = options.random;
    this.#keys = options.keys;
    this.#hasher = options.hasher;
  }

  /** The next command, by the state of the seeded stream. */
  next(): SignedCommand {
    const service = this.#random.pick(SERVICES);
    const { length } = this.operations;
    if (length < SERVICES.length) return this.#register(SERVICES[length] ?? service);
    if (length < 2 * SERVICES.length) return this.#grant(SERVICES[length % SERVICES.length] ?? service);
    const turn = this.#random.below(20);
    if (turn === 0) return this.#grant(service);
    if (turn === 1) return this.#register(service);
    return this.#authorize(service);
  }

  /** Submits a command to a node, or again the bytes of an earlier one. */
  submit(node: NodeId, signed: SignedCommand): void {
    const { replica } = this.#cluster.node(node);
    const operation: Operation = { signed, submittedUs: this.#cluster.scheduler.nowUs() };
    this.operations.push(operation);
    replica?.submit(signed, 20_000, (answer) => {
      if (answer.kind !== "ordered") return;
      operation.answeredUs = this.#cluster.scheduler.nowUs();
      operation.record = answer.record;
    });
  }

  /** What a command of this workload asked for. */
  intentOf(command: Hash): Intent | undefined {
    return this.#intents.get(command);
  }

  #register(service: SubjectId): SignedCommand {
    const { publicKey } = this.#keys.keyOf(service);
    const now = this.#cluster.scheduler.nowUs();
    const subject = { id: service, publicKey, meshRole: "participant", consensusWeight: 1, trustedPeers: [] };
    const attested = { issuer: ISSUER, claims: { purpose: "simulation" }, notBeforeUs: now - 1_000_000, notAfterUs: now + 3_600_000_000 };
    const bytes = attestationBytes({ cluster: this.#clusterId, subject, attestation: attested });
    const signature = toBase64Url(this.#keys.keyOf(ISSUER).sign(signedBytes("attestation", bytes)));
    const body = serviceRegisterBody({ ...subject, attestation: { ...attested, signature } });
    return this.#command({ kind: "register", service }, "service.register", body);
  }

  #grant(service: SubjectId): SignedCommand {
    const now = this.#cluster.scheduler.nowUs();
    const capability: CapabilityPattern = {
      domain: "compute",
      operation: "execute",
      scope: "system",
      temporal: ["continuous"],
      riskLevel: this.#random.pick(["elevated", "critical"] as const),
      resources: ["market-data", "trading-algorithm"],
    };
    const body = grantCreateBody({ service, capability, notBeforeUs: now - 1_000_000, notAfterUs: now + 3_600_000_000 });
    const intent: Intent = { kind: "grant", service, operation: capability.operation, risk: capability.riskLevel };
    return this.#command(intent, "grant.create", body);
  }

  #authorize(service: SubjectId): SignedCommand {
    const capability: Capability = {
      domain: "compute",
      operation: this.#random.pick(["execute", "execute", "read"]),
      scope: "application",
      temporal: "continuous",
      riskLevel: this.#random.pick(["safe", "critical"] as const),
      resources: ["market-data"],
    };
    const intent: Intent = { kind: "authorize", service, operation: capability.operation, risk: capability.riskLevel };
    return this.#command(intent, "authorize", authorizeBody({ capability }));
  }

  #command(intent: Intent, kind: string, body: CanonicalObject): SignedCommand {
    const issuer = intent.kind === "grant" ? OPERATOR : intent.service;
    const key = this.#keys.keyOf(issuer);
    const issuedAtUs = this.#cluster.scheduler.nowUs();
    const bytes = encodeCommand({
      cluster: this.#clusterId,
      kind,
      id: toBase64Url(this.#random.bytes(16)),
      issuer,
      key: key.publicKey,
      issuedAtUs,
      expiresAtUs: issuedAtUs + COMMAND_LIFETIME_US,
      body,
    });
    const signed = signedCommandOf(this.#hasher, { bytes, signature: key.sign(signedBytes("command", bytes)) });
    this.#intents.set(signed.hash, intent);
    return signed;
  }
}
