import { createHash } from "node:crypto";
import {
  type CertifiedPoint,
  type EngineName,
  encodeUtf8,
  type Hash,
  type Hasher,
  type Member,
  type Membership,
  type NodeId,
  parseNodeId,
  parsePublicKey,
  type SignatureClaim,
  signedBytes,
  toBase64Url,
  toHash,
  ZERO_HASH,
} from "#base";
import {
  type ConsensusMessage,
  type Core,
  type CoreRules,
  createCore,
  type Effect,
  type GuardRecord,
  guardKey,
  guardScopeOf,
  type Input,
  type PbftRules,
  type Proposal,
  type SignIntent,
  type Tip,
  VoteGuard,
} from "#consensus";

export const hasher: Hasher = { sha256: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()) };
export const CLUSTER: Hash = toHash(hasher.sha256(encodeUtf8("cluster of the tests")));

/** Names node-1 to node-n. */
export function nodeId(index: number): NodeId {
  return parseNodeId(`node-${index}`);
}

/** Members with the weights, each with a vote key of its own. */
export function membershipOf(weights: readonly number[]): Membership {
  const key = (name: string): ReturnType<typeof parsePublicKey> => parsePublicKey(toBase64Url(hasher.sha256(encodeUtf8(name))));
  const members = weights.map((weight, index): Member => {
    const id = nodeId(index + 1);
    const [vote, log, witness, gateway] = ["vote", "log", "witness", "gateway"].map((role) => key(`${id}/${role}`));
    if (vote === undefined || log === undefined || witness === undefined || gateway === undefined) throw new Error("four keys");
    return {
      id,
      weight,
      keys: { vote, log, witness, gateway, tls: vote },
      peerAddress: `${id}:1`,
      httpUrl: `http://${id}`,
      tlsAuthority: vote,
    };
  });
  return { epoch: 0, members };
}

/** A signature that only its key's name makes: a checksum over key and message, which the tests never forge by chance. */
export function sign(node: NodeId, message: Uint8Array): Uint8Array {
  return signWith(toBase64Url(hasher.sha256(encodeUtf8(`${node}/vote`))), message);
}

/** Whether a claim's signature is what its key would have made. */
export function isGenuine({ publicKey, message, signature }: SignatureClaim): boolean {
  return Buffer.compare(signWith(toBase64Url(publicKey), message), signature) === 0;
}

function signWith(publicKey: string, message: Uint8Array): Uint8Array {
  const signature = new Uint8Array(64);
  signature.set(hasher.sha256(Buffer.concat([Buffer.from(publicKey), message])));
  return signature;
}

/** What a driver finds of a proposal: its batch is the one that the header names. */
export function isWhole({ header, batch }: Proposal): boolean {
  return batch.length === 1 && batch.every((bytes) => toHash(hasher.sha256(bytes)) === header.commandsRoot);
}

/** Something that a core did, in order. */
export interface Happening {
  readonly node: NodeId;
  readonly effect: Effect;
}

interface Driven {
  readonly id: NodeId;
  core: Core;
  guard: VoteGuard;
  /** What stands on its disk: records of the core, records of the guard, and its tip. */
  readonly records: Map<string, Uint8Array>;
  readonly guardRecords: Map<string, GuardRecord>;
  tip: Tip;
  signatures: number;
  verifications: number;
}

/** Cores in one room: messages go from hand to hand in order, timers fire only when a test says so. */
export class Room {
  readonly happenings: Happening[] = [];
  readonly nodes: readonly Driven[];
  /** What a test wants lost or changed on the way; the message as it is by default. */
  onTheWay: (from: NodeId, to: NodeId, message: ConsensusMessage) => ConsensusMessage | undefined = (_from, _to, message) => message;
  /** Whose signatures take so long that everything else happens first, until `signHeld`. */
  holds: (node: NodeId, intent: SignIntent) => boolean = () => false;
  /** Whose checks of proposals take as long. */
  holdsChecks: (node: NodeId) => boolean = () => false;
  readonly #held: (() => void)[] = [];
  readonly #waiting: { readonly from: NodeId; readonly to: NodeId; readonly message: ConsensusMessage }[] = [];

  readonly membership: Membership;
  readonly #engine: EngineName;
  readonly #rules: CoreRules;
  readonly #window: number;

  constructor(weights: readonly number[], rules?: PbftRules | CoreRules, engine: EngineName = "pbft", window = 1) {
    this.membership = membershipOf(weights);
    this.#engine = engine;
    this.#window = window;
    this.#rules = rules === undefined ? {} : "isQuorum" in rules ? { pbft: rules } : rules;
    const tip = { height: 0, digest: ZERO_HASH, timeUs: 0, view: 0 };
    this.nodes = this.membership.members.map(({ id }) => ({
      id,
      core: this.#createCore({ id, tip, records: new Map(), guardRecords: new Map() }),
      guard: new VoteGuard([], guardScopeOf(engine)),
      records: new Map(),
      guardRecords: new Map(),
      tip,
      signatures: 0,
      verifications: 0,
    }));
    for (const { id } of this.nodes) this.#begin(id);
    this.settle();
  }

  /** Stops a node and starts it again from what it had written. */
  restart(id: NodeId): void {
    const node = this.node(id);
    node.guard = new VoteGuard([...node.guardRecords.values()], guardScopeOf(this.#engine));
    node.core = this.#createCore(node);
    this.#begin(id);
    this.settle();
  }

  #createCore(node: Pick<Driven, "id" | "tip" | "records" | "guardRecords">): Core {
    const records = [...node.records].map(([key, bytes]) => ({ key, bytes }));
    const restored = { records, guard: [...node.guardRecords.values()] };
    const fixed = { cluster: CLUSTER, membership: this.membership, protocol: 1, window: this.#window, seed: 1, hasher };
    return createCore(this.#engine, { ...fixed, self: node.id, tip: node.tip, restored, rules: this.#rules });
  }

  #begin(id: NodeId): void {
    this.feed(id, { type: "start" });
    this.feed(id, { type: "participate", above: 0 });
  }

  node(id: NodeId): Driven {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`no ${id}`);
    return found;
  }

  /** Has the leader propose a batch at the height. */
  propose(leader: NodeId, about: { readonly height: number; readonly view: number; readonly text: string }): void {
    const certified: CertifiedPoint = { height: 0, size: 0, root: ZERO_HASH };
    const batch = [encodeUtf8(about.text)];
    const commandsRoot = toHash(hasher.sha256(encodeUtf8(about.text)));
    const { height, view } = about;
    const draft = { height, view, timeUs: height * 1_000 + view, commandsRoot, certified, certifiedProof: new Uint8Array(0), batch };
    this.feed(leader, { type: "propose", draft });
  }

  /** An input for a node, and all that follows from it within the node. */
  feed(id: NodeId, input: Input): void {
    const node = this.node(id);
    for (const effect of node.core.step(input)) this.#run(node, effect);
  }

  /** Work waits at the named members, and their patience with the leader ends. */
  timeOut(nodes: readonly NodeId[]): void {
    for (const id of nodes) {
      this.feed(id, { type: "pending", pending: true });
      this.feed(id, { type: "timer", name: "progress" });
    }
    this.settle();
  }

  /** Delivers until nothing is on the way. */
  settle(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const message = this.onTheWay(next.from, next.to, next.message);
      if (message !== undefined) this.feed(next.to, { type: "message", from: next.from, message });
    }
  }

  /** The signatures that were held come, and the verdicts on proposals. */
  signHeld(): void {
    for (const run of this.#held.splice(0)) run();
    this.settle();
  }

  /** What a node did of a type. */
  effects<T extends Effect["type"]>(type: T, id?: NodeId): Extract<Effect, { type: T }>[] {
    const matches = this.happenings.filter(({ node, effect }) => effect.type === type && (id === undefined || node === id));
    return matches.map(({ effect }) => effect as Extract<Effect, { type: T }>);
  }

  /** The block is written, and what the guard needs no more goes. */
  #decide(node: Driven, { proposal, certificate }: Extract<Effect, { type: "decide" }>): void {
    const { height, view } = certificate;
    node.tip = { height, digest: proposal.digest, timeUs: proposal.header.timeUs, view, certificate };
    for (const key of node.guard.prune(height)) node.guardRecords.delete(key);
    this.feed(node.id, { type: "applied", height });
  }

  #run(node: Driven, effect: Effect): void {
    this.happenings.push({ node: node.id, effect });
    if (effect.type === "send") this.#waiting.push({ from: node.id, to: effect.to, message: effect.message });
    if (effect.type === "broadcast") {
      for (const { id } of this.nodes) if (id !== node.id) this.#waiting.push({ from: node.id, to: id, message: effect.message });
    }
    if (effect.type === "verify") {
      node.verifications += effect.claims.length;
      this.feed(node.id, { type: "verified", id: effect.id, verdicts: effect.claims.map(isGenuine) });
    }
    if (effect.type === "append") node.records.set(effect.record.key, effect.record.bytes);
    if (effect.type === "forget") for (const key of effect.keys) node.records.delete(key);
    if (effect.type === "decide") this.#decide(node, effect);
    if (effect.type === "validate") this.#validate(node, effect);
    if (effect.type !== "sign") return;
    this.#sign(node, effect);
  }

  #validate({ id: node }: Driven, { id, proposal }: Extract<Effect, { type: "validate" }>): void {
    const answer = (): void => this.feed(node, { type: "validated", id, valid: isWhole(proposal) });
    if (this.holdsChecks(node)) this.#held.push(answer);
    else answer();
  }

  #sign(node: Driven, effect: Extract<Effect, { type: "sign" }>): void {
    const answer = node.guard.request(effect.intent);
    if (answer.kind === "refused") return this.feed(node.id, { type: "signed", id: effect.id, signature: undefined });
    const signature = answer.kind === "stored" ? answer.signature : sign(node.id, signedBytes(effect.intent.purpose, effect.body));
    node.signatures += 1;
    const record = node.guard.record(effect.intent, signature);
    node.guardRecords.set(guardKey(record), record);
    const answerIt = (): void => this.feed(node.id, { type: "signed", id: effect.id, signature });
    if (this.holds(node.id, effect.intent)) this.#held.push(answerIt);
    else answerIt();
  }
}
