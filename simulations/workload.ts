import {
  batchSignedBytes,
  type CanonicalObject,
  encodeCommand,
  type Hash,
  type Hasher,
  hashLeaf,
  isObject,
  LIMITS,
  merklePaths,
  type NodeId,
  parseSubjectId,
  type SeededRandom,
  type SignedCommand,
  type SubjectId,
  signedBytes,
  signedCommandOf,
  toBase64Url,
  toHash,
} from "#base";
import type { OrderedRecord, ReadAnswer, Replica, SubmitAnswer } from "#replica";
import {
  attestationBytes,
  authorizeBody,
  type Capability,
  type CapabilityPattern,
  type ChangeDraft,
  changeToCanonical,
  grantCreateBody,
  serviceRegisterBody,
} from "#state";
import type { SimulatedCluster } from "./cluster.ts";
import type { KeyMill } from "./keys.ts";
import { nodeFileOf, renewalOf } from "./learners.ts";
import { START_US } from "./scheduler.ts";

/** Lifetime of a simulated command: nearly the longest that is allowed. */
const COMMAND_LIFETIME_US: number = LIMITS.commandLifetimeMaxUs - 1_000_000;

/** One command as its client saw it. */
export interface Operation {
  /** Counts the questions of a run. */
  readonly number: number;
  readonly node: NodeId;
  readonly signed: SignedCommand;
  /** What it asks for; undefined for what no client of this cluster would sign. */
  readonly intent: Intent | undefined;
  readonly submittedUs: number;
  answeredUs?: number;
  record?: OrderedRecord;
  /** Any answer, an unavailable or a rejection too. */
  answer?: SubmitAnswer["kind"];
}

/** A service as a linearizable read saw it. */
export interface SeenService {
  /** Until when it is registered, microseconds; undefined before it was. */
  readonly untilUs: number | undefined;
  /** Its grants that were not taken back. */
  readonly grants: readonly Hash[];
}

/** A read of a service, as its client saw it. */
export interface ReadOperation {
  /** Counts the questions of a run, with the commands. */
  readonly number: number;
  readonly node: NodeId;
  readonly service: SubjectId;
  readonly submittedUs: number;
  answeredUs?: number;
  /** Undefined for a read that nobody could confirm in time. */
  seen?: SeenService;
}

/** Sees what clients ask and hear, as it happens. */
export interface WorkloadWatch {
  onAsked(operation: Operation): void;
  onAnswered(operation: Operation, answer: SubmitAnswer): void;
  onRead(read: ReadOperation): void;
  onReadAnswered(read: ReadOperation): void;
}

/** What a command asks for, in the few words that the model of authority needs. */
export interface Intent {
  readonly kind: "register" | "grant" | "revoke" | "authorize" | "govern" | "report";
  readonly service: SubjectId;
  readonly operation?: string;
  readonly risk?: string;
  /** What a revocation takes back. */
  readonly grant?: Hash;
  /** Until when a registration lasts, microseconds. */
  readonly untilUs?: number;
  /** What no two commands that take effect may share. */
  readonly identity: string;
  /** The node that a change admits. */
  readonly learner?: string;
  /** Whether it asks for a new epoch. */
  readonly changesMembers?: boolean;
}

/** How a hostile client's command differs from an honest one's. */
export interface Oddity {
  /** Sixteen bytes that another command has too. */
  readonly id?: string;
  readonly issuedAtUs?: number;
  readonly expiresAtUs?: number;
  readonly cluster?: Hash;
  /** Index of the service that asks; drawn by default. */
  readonly service?: number;
}

type Wish = Omit<Intent, "identity"> & { readonly body: CanonicalObject; readonly commandKind: string };

const SERVICES = ["trading-service-001", "settlement-002", "agent-003"].map(parseSubjectId);
const ISSUER = parseSubjectId("issuer-1");
const OPERATOR = parseSubjectId("operator-1");
/** What stands before a command in the bytes that are signed. */
const COMMAND_PREFIX_BYTES = signedBytes("command", new Uint8Array(0)).length;
/** How long a client of the workload waits. */
const PATIENCE_MS = 20_000;

function seen({ state }: Replica, service: SubjectId): SeenService {
  const grants = state.grantsOf(service).flatMap(({ id, revoked }) => (revoked === undefined ? [id] : []));
  return { untilUs: state.service(service)?.attestation.notAfterUs, grants };
}

function serviceAt(index: number): SubjectId {
  return SERVICES[index % SERVICES.length] as SubjectId;
}

/** Clients that register services, grant, revoke and ask, in a seeded order, through seeded nodes. */
export class Workload {
  readonly operations: Operation[] = [];
  /** Reads that did not see what was answered before they began. */
  readonly staleReads: string[] = [];
  readonly reads: ReadOperation[] = [];
  watch: WorkloadWatch | undefined;
  readonly #intents = new Map<Hash, Intent>();
  readonly #cluster: SimulatedCluster;
  readonly #clusterId: Hash;
  readonly #random: SeededRandom;
  readonly #keys: KeyMill;
  readonly #hasher: Hasher;
  #ordinary = 0;

  constructor(options: { cluster: SimulatedCluster; clusterId: Hash; random: SeededRandom; keys: KeyMill; hasher: Hasher }) {
    this.#cluster = options.cluster;
    this.#clusterId = options.clusterId;
    this.#random = options.random;
    this.#keys = options.keys;
    this.#hasher = options.hasher;
  }

  /** The next command of an honest client, by the state of the seeded stream. */
  next(): SignedCommand {
    const service = this.#random.pick(SERVICES);
    const ordinary = this.#ordinary++;
    if (ordinary < SERVICES.length) return this.#sign(this.#register(SERVICES[ordinary] ?? service));
    if (ordinary < 2 * SERVICES.length) return this.#sign(this.#grant(SERVICES[ordinary % SERVICES.length] ?? service, this.#random));
    const turn = this.#random.below(20);
    if (turn === 0) return this.#sign(this.#grant(service, this.#random));
    if (turn === 1) return this.#sign(this.#register(service));
    return this.#sign(this.#authorize(service, this.#random));
  }

  /** A request of a hostile client, out of its own stream. */
  odd(random: SeededRandom, oddity: Oddity = {}): SignedCommand {
    const service = serviceAt(oddity.service ?? random.below(SERVICES.length));
    return this.#sign(this.#authorize(service, random), { id: toBase64Url(random.bytes(16)), ...oddity });
  }

  /** A grant by the operator, out of a hostile client's stream. */
  grant(random: SeededRandom, service: number): SignedCommand {
    return this.#sign(this.#grant(serviceAt(service), random), { id: toBase64Url(random.bytes(16)) });
  }

  /** The operator takes back all that this service was ever granted. */
  revocations(random: SeededRandom, service: number): SignedCommand[] {
    const from = serviceAt(service);
    const grants = [...this.#intents].flatMap(([hash, intent]) => (intent.kind === "grant" && intent.service === from ? [hash] : []));
    return grants.map((grant) => {
      const body = { grant, reason: "simulation" };
      const wish = { kind: "revoke", service: from, grant, body, commandKind: "grant.revoke" } as const;
      return this.#sign(wish, { id: toBase64Url(random.bytes(16)) });
    });
  }

  /** A request whose signature belongs to nobody. No client sent it: it must not be ordered. */
  forged(random: SeededRandom): SignedCommand {
    const { signed } = this.#signed(this.#authorize(random.pick(SERVICES), random), { id: toBase64Url(random.bytes(16)) });
    return { ...signed, signature: random.bytes(64) };
  }

  /**
   * The operator gives every member a multiple of the weight that genesis gave it: shares stay as they are, and a new epoch begins. Undefined
   * while nobody can say which epoch it is.
   */
  reweight(factor: number): SignedCommand | undefined {
    const reweight = this.#cluster.members.map(({ id, weight }) => ({ id, weight: weight * factor }));
    return this.govern((frame) => ({ ...frame, kind: "membership.change", add: [], remove: [], reweight }));
  }

  /** A change by the operator against the epoch that the nodes are in; undefined while nobody can say which one it is. */
  govern(make: (frame: { readonly epoch: number; readonly expiresAtUs: number }) => ChangeDraft): SignedCommand | undefined {
    const epoch = this.#cluster.newestMembership()?.epoch;
    if (epoch === undefined) return undefined;
    const change = make({ epoch, expiresAtUs: this.#cluster.scheduler.nowUs() + COMMAND_LIFETIME_US });
    const { kind } = change;
    const body = { change: changeToCanonical(this.#clusterId, change), approvals: [] };
    const wish = { kind: "govern", service: OPERATOR, body, commandKind: kind } as const;
    if (kind === "membership.change") return this.#sign({ ...wish, changesMembers: true });
    return this.#sign(kind === "learner.add" ? { ...wish, learner: learnerOf(change.nodeFile) } : wish);
  }

  /** The operator gives these members the keys of their next renewal; undefined while nobody can say which epoch it is. */
  renew(nodes: readonly NodeId[]): SignedCommand | undefined {
    const members = this.#cluster.newestMembership()?.members ?? [];
    const about = { keys: this.#keys, hasher: this.#hasher, timeUs: START_US };
    const renew = members.filter(({ id }) => nodes.includes(id)).flatMap((member) => renewalOf(about, member));
    return this.govern((frame) => ({ ...frame, kind: "membership.change", add: [], remove: [], reweight: [], renew }));
  }

  /** An institution's word for a node, whose keys are made from a name. */
  nodeFile(id: NodeId, named: string): CanonicalObject {
    return nodeFileOf({ keys: this.#keys, hasher: this.#hasher, timeUs: START_US }, { id, named });
  }

  /** Requests of one service under one signature over their tree. */
  batch(random: SeededRandom, count: number): SignedCommand[] {
    const service = random.pick(SERVICES);
    const single = Array.from({ length: count }, () =>
      this.#signed(this.#authorize(service, random), { id: toBase64Url(random.bytes(16)) }),
    );
    const leaves = single.map(({ signed }) => hashLeaf(this.#hasher, signed.bytes));
    const { root, paths } = merklePaths(this.#hasher, leaves);
    const signature = this.#keys.keyOf(service).sign(batchSignedBytes({ root, size: count }));
    return single.map(({ signed, intent }, index) => {
      this.#intents.set(signed.hash, intent);
      return { ...signed, signature, batch: { size: count, index, path: paths[index] ?? [] } };
    });
  }

  /** Submits a command to a node, or again the bytes of an earlier one. A node that is down answers nothing. */
  submit(id: NodeId, signed: SignedCommand): void {
    const node = this.#cluster.node(id);
    const { operations } = this;
    const intent = this.#intents.get(signed.hash);
    const operation: Operation = {
      number: operations.length + this.reads.length,
      node: id,
      signed,
      intent,
      submittedUs: this.#cluster.scheduler.nowUs(),
    };
    operations.push(operation);
    this.watch?.onAsked(operation);
    node.time?.run(() =>
      node.replica?.submit(signed, PATIENCE_MS, (answer) => {
        operation.answer = answer.kind;
        this.watch?.onAnswered(operation, answer);
        if (answer.kind !== "ordered") return;
        operation.answeredUs = this.#cluster.scheduler.nowUs();
        operation.record = answer.record;
      }),
    );
  }

  /**
   * Asks a node for a linearizable read of a service. It has to see every height whose commands were answered before it began; whether what it is
   * shown fits what other clients heard is for the history.
   */
  read(id: NodeId, index: number): void {
    const { replica, time } = this.#cluster.node(id);
    const answered = Math.max(0, ...this.operations.map(({ record }) => record?.height ?? 0));
    const operation: ReadOperation = {
      number: this.operations.length + this.reads.length,
      node: id,
      service: serviceAt(index),
      submittedUs: this.#cluster.scheduler.nowUs(),
    };
    this.reads.push(operation);
    this.watch?.onRead(operation);
    const done = (answer: ReadAnswer<SeenService>): void => {
      operation.answeredUs = this.#cluster.scheduler.nowUs();
      if (answer.kind === "read") operation.seen = answer.value;
      if (answer.kind === "read" && answer.height < answered)
        this.staleReads.push(`${id} read at ${answer.height} after ${answered} was answered`);
      this.watch?.onReadAnswered(operation);
    };
    time?.run(() => replica?.read(PATIENCE_MS, () => seen(replica, operation.service), done));
  }

  /** A node reports evidence of its own accord. @param message the bytes that it signed */
  noteReport(node: NodeId, message: Uint8Array): void {
    const hash = toHash(this.#hasher.sha256(message.subarray(COMMAND_PREFIX_BYTES)));
    this.#intents.set(hash, { kind: "report", service: parseSubjectId(node), identity: `report ${hash}` });
  }

  /** What a command of this workload asked for. */
  intentOf(command: Hash): Intent | undefined {
    return this.#intents.get(command);
  }

  #register(service: SubjectId): Wish {
    const { publicKey } = this.#keys.keyOf(service);
    const now = this.#cluster.scheduler.nowUs();
    const subject = { id: service, publicKey, meshRole: "participant", consensusWeight: 1, trustedPeers: [] };
    const attested = { issuer: ISSUER, claims: { purpose: "simulation" }, notBeforeUs: now - 1_000_000, notAfterUs: now + 3_600_000_000 };
    const bytes = attestationBytes({ cluster: this.#clusterId, subject, attestation: attested });
    const signature = toBase64Url(this.#keys.keyOf(ISSUER).sign(signedBytes("attestation", bytes)));
    const body = serviceRegisterBody({ ...subject, attestation: { ...attested, signature } });
    return { kind: "register", service, untilUs: attested.notAfterUs, body, commandKind: "service.register" };
  }

  #grant(service: SubjectId, random: SeededRandom): Wish {
    const now = this.#cluster.scheduler.nowUs();
    const capability: CapabilityPattern = {
      domain: "compute",
      operation: "execute",
      scope: "system",
      temporal: ["continuous"],
      riskLevel: random.pick(["elevated", "critical"] as const),
      resources: ["market-data", "trading-algorithm"],
    };
    const body = grantCreateBody({ service, capability, notBeforeUs: now - 1_000_000, notAfterUs: now + 3_600_000_000 });
    const { operation, riskLevel } = capability;
    return { kind: "grant", service, operation, risk: riskLevel, body, commandKind: "grant.create" };
  }

  #authorize(service: SubjectId, random: SeededRandom): Wish {
    const capability: Capability = {
      domain: "compute",
      operation: random.pick(["execute", "execute", "read"]),
      scope: "application",
      temporal: "continuous",
      riskLevel: random.pick(["safe", "critical"] as const),
      resources: ["market-data"],
    };
    const { operation, riskLevel } = capability;
    return { kind: "authorize", service, operation, risk: riskLevel, body: authorizeBody({ capability }), commandKind: "authorize" };
  }

  #sign(wish: Wish, oddity: Oddity = {}): SignedCommand {
    const { signed, intent } = this.#signed(wish, oddity);
    // What is meant for another cluster has no business in a block of this one.
    if (oddity.cluster === undefined) this.#intents.set(signed.hash, intent);
    return signed;
  }

  #signed({ body, commandKind, ...wish }: Wish, oddity: Oddity): { signed: SignedCommand; intent: Intent } {
    const issuer = wish.kind === "grant" || wish.kind === "revoke" ? OPERATOR : wish.service;
    const key = this.#keys.keyOf(issuer);
    const issuedAtUs = oddity.issuedAtUs ?? this.#cluster.scheduler.nowUs();
    const id = oddity.id ?? toBase64Url(this.#random.bytes(16));
    const bytes = encodeCommand({
      cluster: oddity.cluster ?? this.#clusterId,
      kind: commandKind,
      id,
      issuer,
      key: key.publicKey,
      issuedAtUs,
      expiresAtUs: oddity.expiresAtUs ?? issuedAtUs + COMMAND_LIFETIME_US,
      body,
    });
    const signed = signedCommandOf(this.#hasher, { bytes, signature: key.sign(signedBytes("command", bytes)) });
    return { signed, intent: { ...wish, identity: `${issuer} ${id}` } };
  }
}

function learnerOf({ member }: CanonicalObject): string {
  return isObject(member) && typeof member["id"] === "string" ? member["id"] : "";
}
