import { createHash } from "node:crypto";
import {
  type AppliedBlock,
  type CanonicalObject,
  clusterIdOf,
  type DecidedBlock,
  type EngineName,
  encodeCommand,
  encodeGenesis,
  encodeUtf8,
  type Genesis,
  type Hash,
  type Hasher,
  type PublicKey,
  parseGenesis,
  parseNodeId,
  parsePublicKey,
  parseSubjectId,
  type SignedCommand,
  signedCommandOf,
  toBase64Url,
  ZERO_HASH,
} from "#base";
import { type CapabilityPattern, grantCreateBody, LedgerState, type ServiceRegistration, serviceRegisterBody } from "#state";

/** The fast implementation: these tests apply many blocks. */
export const hasher: Hasher = { sha256: (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()) };

export const SECOND = 1_000_000;
export const DAY = 86_400 * SECOND;
export const START = 1_800_000_000 * SECOND;

/** A key that nobody holds: apply() does not verify signatures. */
export function keyOf(label: string): PublicKey {
  return parsePublicKey(toBase64Url(hasher.sha256(encodeUtf8(`key of ${label}`))));
}

export const OPERATOR = { id: parseSubjectId("olga"), key: keyOf("olga"), roles: ["operator"] } as const;
export const AUDITOR = { id: parseSubjectId("aldo"), key: keyOf("aldo"), roles: ["auditor"] } as const;
export const ISSUER = { id: parseSubjectId("trusted-ca"), key: keyOf("trusted-ca") } as const;

export function makeGenesis(issuerKey: PublicKey = ISSUER.key, engine: EngineName = "pbft"): Genesis {
  const members = [1, 2, 3, 4].map((number) => {
    const id = parseNodeId(`node-${number}`);
    const [vote, log, witness, gateway] = ["vote", "log", "witness", "gateway"].map((role) => keyOf(`${id} ${role}`));
    if (vote === undefined || log === undefined || witness === undefined || gateway === undefined) throw new Error("four keys");
    const keys = { vote, log, witness, gateway, tls: toBase64Url(encodeUtf8(`${id} tls`)) };
    return { id, weight: 1, keys, peerAddress: "127.0.0.1:1", httpUrl: "http://127.0.0.1:2", tlsAuthority: toBase64Url(encodeUtf8(id)) };
  });
  const genesis: Genesis = {
    environment: "development",
    trustDomain: "dev.example",
    engine,
    protocol: 1,
    window: 1,
    activationDelay: 2,
    zeroFaultTolerance: false,
    timeUs: START,
    membership: { epoch: 0, members },
    operators: [OPERATOR, AUDITOR],
    issuers: [{ id: ISSUER.id, key: issuerKey }],
  };
  return parseGenesis(encodeGenesis(genesis));
}

/** One command before it is written down; the rest has defaults. */
export interface Draft {
  readonly kind: string;
  readonly body: CanonicalObject;
  readonly by: string;
  readonly key?: PublicKey;
  readonly id?: string;
  readonly issuedAtUs?: number;
  readonly expiresAtUs?: number;
  readonly cluster?: Hash;
}

/** A ledger with the commands and blocks that tests need. */
export class LedgerKit {
  readonly genesis: Genesis;
  readonly cluster: Hash;
  state: LedgerState;
  readonly blocks: DecidedBlock[] = [];
  readonly applied: AppliedBlock[] = [];
  #commands = 0;

  constructor(engine: EngineName = "pbft", genesis: Genesis = makeGenesis(ISSUER.key, engine)) {
    this.genesis = genesis;
    this.cluster = clusterIdOf(hasher, encodeGenesis(this.genesis));
    this.state = LedgerState.fromGenesis(this.options());
  }

  options(): { genesis: Genesis; cluster: Hash; hasher: Hasher } {
    return { genesis: this.genesis, cluster: this.cluster, hasher };
  }

  /** Signed by the key of the issuer's name unless told otherwise, valid for 60 s from the agreed time. */
  command(draft: Draft): SignedCommand {
    const issuedAtUs = draft.issuedAtUs ?? this.state.timeUs;
    const bytes = encodeCommand({
      cluster: draft.cluster ?? this.cluster,
      kind: draft.kind,
      id: draft.id ?? this.commandId(this.#commands++),
      issuer: parseSubjectId(draft.by),
      key: draft.key ?? keyOf(draft.by),
      issuedAtUs,
      expiresAtUs: draft.expiresAtUs ?? issuedAtUs + 60 * SECOND,
      body: draft.body,
    });
    return signedCommandOf(hasher, { bytes, signature: new Uint8Array(64) });
  }

  commandId(number: number): string {
    return toBase64Url(hasher.sha256(encodeUtf8(`command ${number}`)).subarray(0, 16));
  }

  registration(
    id: string,
    change: Partial<ServiceRegistration> & { issuer?: string; notBeforeUs?: number; notAfterUs?: number } = {},
  ): ServiceRegistration {
    const { issuer, notBeforeUs, notAfterUs, ...rest } = change;
    return {
      id: parseSubjectId(id),
      publicKey: keyOf(id),
      attestation: {
        signature: toBase64Url(new Uint8Array(64)),
        issuer: parseSubjectId(issuer ?? ISSUER.id),
        claims: { purpose: "trading-analysis", jurisdiction: "US", level: 3, audited: true },
        notBeforeUs: notBeforeUs ?? START,
        notAfterUs: notAfterUs ?? START + 30 * DAY,
      },
      meshRole: "participant",
      consensusWeight: 1,
      trustedPeers: [parseNodeId("node-2")],
      ...rest,
    };
  }

  register(id: string, change: Parameters<LedgerKit["registration"]>[1] = {}): SignedCommand {
    const service = this.registration(id, change);
    return this.command({ kind: "service.register", by: id, key: service.publicKey, body: serviceRegisterBody(service) });
  }

  pattern(change: Partial<CapabilityPattern> = {}): CapabilityPattern {
    return {
      domain: "compute",
      operation: "execute",
      scope: "system",
      temporal: ["continuous", "immediate"],
      riskLevel: "critical",
      resources: ["trading-algorithm", "market/*"],
      ...change,
    };
  }

  grant(
    service: string,
    change: Partial<CapabilityPattern> = {},
    valid: { notBeforeUs?: number; notAfterUs?: number } = {},
  ): SignedCommand {
    const { notBeforeUs = START, notAfterUs = START + 10 * DAY } = valid;
    const grant = { service: parseSubjectId(service), capability: this.pattern(change), notBeforeUs, notAfterUs };
    return this.command({ kind: "grant.create", by: OPERATOR.id, body: grantCreateBody(grant) });
  }

  revokeService(service: string, by: string = OPERATOR.id): SignedCommand {
    return this.command({ kind: "service.revoke", by, body: { service, reason: "key lost" } });
  }

  revokeGrant(grant: string, by: string = OPERATOR.id): SignedCommand {
    return this.command({ kind: "grant.revoke", by, body: { grant, reason: "no longer needed" } });
  }

  authorize(by: string, capability: Record<string, unknown> = {}, draft: Partial<Draft> = {}): SignedCommand {
    const asked = {
      domain: "compute",
      operation: "execute",
      scope: "application",
      temporal: "continuous",
      riskLevel: "dangerous",
      resources: ["trading-algorithm"],
      ...capability,
    };
    return this.command({ kind: "authorize", by, body: { capability: asked as CanonicalObject }, ...draft });
  }

  /** Applies the next block, one second later unless told otherwise. */
  apply(commands: readonly SignedCommand[], laterUs: number = SECOND): AppliedBlock {
    const block = this.block(commands, laterUs);
    const applied = this.state.apply(block);
    this.blocks.push(block);
    this.applied.push(applied);
    return applied;
  }

  block(commands: readonly SignedCommand[], laterUs: number = SECOND): DecidedBlock {
    const height = this.state.height + 1;
    return {
      header: {
        protocol: 1,
        cluster: this.cluster,
        epoch: this.state.membership().epoch,
        height,
        originView: 0,
        proposer: parseNodeId("node-1"),
        timeUs: this.state.timeUs + laterUs,
        parent: ZERO_HASH,
        commandsRoot: ZERO_HASH,
        certified: { height: 0, size: 0, root: ZERO_HASH },
      },
      digest: ZERO_HASH,
      commands,
    };
  }

  /** What the node's store holds: every block's changes, replayed. */
  stored(): Map<string, Uint8Array> {
    const stored = new Map<string, Uint8Array>();
    for (const { changes } of this.applied) {
      for (const { key, value } of changes) {
        if (value === undefined) stored.delete(key);
        else stored.set(key, value);
      }
    }
    return stored;
  }
}

/** The code of every result of a block, in order. */
export function codes(applied: AppliedBlock): readonly string[] {
  return applied.results.map(({ code }) => code);
}

/** The outcome and code of every result of a block, as a person reads them. */
export function transcript(applied: AppliedBlock): readonly string[] {
  return applied.results.map(({ outcome, code, entry }) => `${outcome} ${code}${entry === undefined ? " (counted only)" : ""}`);
}
