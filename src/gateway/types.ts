import type { CanonicalObject } from "#base";
import type { Signer } from "#crypto";
import type { CapabilityPattern } from "#state";

/** A service as it presents itself, with what an issuer vouches for. Times in milliseconds since 1970. */
export interface ServiceIdentity {
  readonly id: string;
  /** Ed25519, base64url. */
  readonly publicKey: string;
  readonly attestation: {
    readonly signature: string;
    readonly issuer: string;
    readonly claims: Readonly<Record<string, string | number | boolean>>;
    readonly notBefore: number;
    readonly notAfter: number;
  };
  readonly meshRole: string;
  /** Advisory: real weight comes from governance. */
  readonly consensusWeight: number;
  readonly trustedPeers: readonly string[];
}

/** What a service asks for. */
export interface AuthorizationQuestion {
  readonly sessionId?: string;
  readonly serviceId: string;
  readonly capability: {
    readonly domain: string;
    readonly operation: string;
    readonly scope: string;
    readonly temporal: string;
    readonly riskLevel: string;
    readonly resources: readonly string[];
    readonly constraints?: {
      readonly dataVolume?: string;
      readonly rateLimit?: string;
      readonly userConsent?: boolean;
      readonly auditLevel?: string;
    };
  };
  readonly context?: Readonly<Record<string, string | number | boolean>>;
  readonly consensusRequired?: boolean;
  readonly crossNode?: boolean;
}

/** The answer to a question: allowed, denied, or that no quorum answered in time. */
export interface AuthorizationResponse {
  /** `refused`, of one of several questions: the node did not take it, and nothing was decided; `reason` is the code. One question alone throws instead. */
  readonly outcome: "allowed" | "denied" | "unavailable" | "refused";
  /** True when the outcome is `allowed`. */
  readonly authorized: boolean;
  /** True exactly while a decision is pending; every answer of this version is final. */
  readonly consensusRequired: boolean;
  /** Id of the decision and of its receipt. */
  readonly consensusId: string;
  readonly reason: string;
  /** Stages, the grant that allowed it, or what would have. */
  readonly explanation: CanonicalObject;
  readonly height?: number;
  readonly timeMs?: number;
  /** Sequence of the entry in the log. */
  readonly seq?: number;
  /** tlog-proof text that anyone checks offline. */
  readonly receipt?: string;
  /** When unavailable: members whose votes are missing. */
  readonly waitingFor?: readonly string[];
}

/** The answer to a write. */
export interface WriteResult {
  readonly outcome: "applied" | "refused" | "unavailable";
  readonly decisionId: string;
  readonly reason: string;
  readonly height?: number;
  readonly seq?: number;
  readonly receipt?: string;
  readonly waitingFor?: readonly string[];
}

/** A capability that an operator grants. Times in milliseconds since 1970. */
export interface GrantRequest {
  readonly service: string;
  readonly capability: CapabilityPattern;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Signers by the id of the service or operator that they sign for. */
export type Signers = ReadonlyMap<string, Signer>;
