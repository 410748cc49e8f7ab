import {
  type AppendedBlock,
  AuditLog,
  type AuditLogOptions,
  assembleCheckpoint,
  type Cosignature,
  checkpointText,
  cosignatureSeconds,
  exportPaths,
  type LogPoint,
  logSignatureMessage,
  type Policy,
  policyText,
  receiptText,
  type StoreReader,
  witnessSignatureMessage,
} from "#audit";
import { type EntryDraft, encodeUtf8, type Hash, type Membership, parseHash, parseNodeId, parsePublicKey, toBase64Url } from "#base";
import { type KeyPair, loadSodium, nodeHasher, type Sodium } from "#crypto";

export const hasher = nodeHasher;
export const sodium: Sodium = await loadSodium();
export const CLUSTER: Hash = parseHash("c1".repeat(32));
export const DIGEST: Hash = parseHash("d1".repeat(32));
export const TRUST_DOMAIN = "bank.example";
export const OPTIONS: AuditLogOptions = { trustDomain: TRUST_DOMAIN, cluster: CLUSTER, hasher };
/** 2026-09-21, in 2026h2. */
export const START = 1_790_000_000_000_000;

const keyPair = (label: string): KeyPair => sodium.generateKeyPair(hasher.sha256(encodeUtf8(label)));
const publicKey = (label: string): ReturnType<typeof parsePublicKey> => parsePublicKey(toBase64Url(keyPair(label).publicKey));

/** Members with keys of their own, weights as given. */
export function membershipOf(weights: readonly number[]): Membership {
  const members = weights.map((weight, at) => {
    const id = parseNodeId(`node-${at + 1}`);
    const keys = {
      vote: publicKey(`${id} vote`),
      log: publicKey(`${id} log`),
      witness: publicKey(`${id} witness`),
      gateway: publicKey(`${id} gateway`),
      tls: toBase64Url(encodeUtf8(`${id} tls`)),
    };
    return { id, weight, keys, peerAddress: "127.0.0.1:1", httpUrl: "http://127.0.0.1:2", tlsAuthority: toBase64Url(encodeUtf8(id)) };
  });
  return { epoch: 0, members };
}

export const FOUR: Membership = membershipOf([1, 1, 1, 1]);

export function policyFor(membership: Membership, overrides: Partial<Policy> = {}): Policy {
  return {
    cluster: CLUSTER,
    trustDomain: TRUST_DOMAIN,
    environment: "production",
    faultModel: "byzantine",
    zeroFaultTolerance: false,
    epoch: 0,
    members: membership.members.map(({ id, weight, keys }) => ({ id, weight, log: keys.log, witness: keys.witness })),
    outsideWitnesses: [],
    ...overrides,
  };
}

export const POLICY: string = policyText(policyFor(FOUR), "2026h2", hasher);

export function cosign(node: string, point: LogPoint): Cosignature {
  const text = checkpointText(point);
  const seconds = cosignatureSeconds(point);
  return {
    node: parseNodeId(node),
    size: point.size,
    root: point.root,
    seconds,
    logSignature: sodium.sign(keyPair(`${node} log`).secretKey, logSignatureMessage(text)),
    witnessSignature: sodium.sign(keyPair(`${node} witness`).secretKey, witnessSignatureMessage({ text, seconds })),
  };
}

/** The note of a point, signed by these nodes, or all. */
export function noteOf(point: LogPoint, nodes?: readonly string[], membership: Membership = FOUR): string {
  const signers = nodes ?? membership.members.map(({ id }) => id);
  const cosignatures = signers.map((node) => cosign(node, point));
  const note = assembleCheckpoint({ membership, trustDomain: TRUST_DOMAIN, point, cosignatures, faultModel: "byzantine", hasher });
  if (note === undefined) throw new Error("no quorum");
  return note;
}

export function draftOf(label: string | number, extra: Partial<EntryDraft> = {}): EntryDraft {
  return {
    kind: "decision",
    provenance: "signed",
    command: parseHash("a1".repeat(32)),
    actor: "trading-service-001",
    subject: "trading-service-001",
    capability: { domain: "memory", operation: "write", resources: ["desk/7", "desk/8"] },
    decision: "allowed",
    reason: "OK",
    delegation: [],
    content: { action: "authorize", label: String(label), riskLevel: "elevated" },
    ...extra,
  };
}

export function sealedDraft(height: number, timeUs: number): EntryDraft {
  return {
    kind: "block.sealed",
    provenance: "cluster",
    actor: "cluster",
    subject: "cluster",
    reason: "OK",
    delegation: [],
    content: { height, time: String(timeUs) },
  };
}

/** A log with a store beside it, as a replica has them. */
export class Ledger {
  readonly store = new Map<string, Uint8Array>();
  readonly read: StoreReader = (key) => this.store.get(key);
  readonly leaves: Uint8Array[] = [];
  log: AuditLog = AuditLog.empty(OPTIONS);
  height = 0;

  append(drafts: readonly EntryDraft[], timeUs = START + this.height * 5_000_000): AppendedBlock {
    return this.appendSealed(drafts, sealedDraft(this.height + 1, timeUs), timeUs);
  }

  appendSealed(drafts: readonly EntryDraft[], sealed: EntryDraft, timeUs: number): AppendedBlock {
    this.height += 1;
    const block = { height: this.height, timeUs, proposer: parseNodeId("node-1"), digest: DIGEST, originView: 0, algorithm: "pbft" };
    const appended = this.log.append(block, [...drafts, sealed]);
    for (const { key, value } of appended.writes) if (value !== undefined) this.store.set(key, value);
    if (appended.opening !== undefined) this.leaves.splice(0, this.leaves.length, appended.opening.leafHash);
    this.leaves.push(...appended.entries.map(({ leafHash }) => leafHash));
    return appended;
  }

  /** Blocks of a few decisions until the shard's tree has at least that many leaves. */
  grow(size: number, perBlock = 9): this {
    while (this.log.point.size < size)
      this.append(Array.from({ length: Math.min(perBlock, size) }, (_, at) => draftOf(`${this.height}-${at}`)));
    return this;
  }

  receipt(seq: number, nodes?: readonly string[]): string {
    const { index } = this.log.locate(seq);
    const { size } = this.log.point;
    const proof = this.log.inclusionProof({ index, size }, this.read);
    return receiptText({ entry: this.log.entry(seq, this.read), index, proof, checkpoint: noteOf(this.log.point, nodes) });
  }

  /** The newest shard as a folder of files. */
  export(): Map<string, Uint8Array> {
    const files = new Map<string, Uint8Array>([
      ["checkpoint", encodeUtf8(noteOf(this.log.point))],
      ["policy", encodeUtf8(POLICY)],
    ]);
    for (const path of exportPaths(this.log.point.size)) {
      const bytes = this.log.tile(path, this.read);
      if (bytes === undefined) throw new Error(`${path} is missing`);
      files.set(path, bytes);
    }
    return files;
  }
}

/** Remembers verdicts: most mutations of a receipt leave most of its signatures as they were. */
export function rememberingPredicate(): (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean {
  const verdicts = new Map<string, boolean>();
  return (key, message, signature) => {
    const name = [key, message, signature].map((bytes) => Buffer.from(bytes).toString("base64")).join(" ");
    const verdict = verdicts.get(name) ?? sodium.verify(key, message, signature);
    verdicts.set(name, verdict);
    return verdict;
  };
}
