import {
  type Clock,
  type ErrorCode,
  encodeSignedCommand,
  errorCode,
  findMember,
  type Hash,
  type Hasher,
  hashLeaf,
  type Issuer,
  LIMITS,
  type Operator,
  QuorumgateError,
  type SignatureClaim,
  type SignatureVerifier,
  type SignedCommand,
  signatureClaim,
} from "#base";
import { checkCommandShape, commandClaims, isGovernanceKind } from "#state";
import type { Ledger } from "../ledger/ledger.ts";
import type { Mempool, PooledCommand, PoolRefusal } from "./mempool.ts";

/** What admission stands on. */
export interface AdmissionOptions {
  readonly cluster: Hash;
  readonly issuers: readonly Issuer[];
  readonly operators: readonly Operator[];
  readonly hasher: Hasher;
  readonly verifier: SignatureVerifier;
  readonly clock: Clock;
  readonly mempool: Mempool;
  readonly ledger: Pick<Ledger, "wasOrdered" | "state" | "membership">;
}

/** Why a command was not admitted. */
export interface AdmissionRefusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** A command as it stands in a block. */
type CommandForm = Pick<PooledCommand, "encoded" | "leaf">;

/** The checks that depend on bytes alone: shape, then bounds, then signatures. What state decides is left to apply. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Checks a command and puts it into the mempool. @param form its binary form and leaf hash, where the caller has them */
  admit(signed: SignedCommand, done: (refusal: AdmissionRefusal | undefined) => void, form?: CommandForm): void {
    let claims: readonly SignatureClaim[];
    try {
      this.#checkExpiry(signed);
      claims = this.claimsOf(signed);
    } catch (error) {
      done({ code: errorCode(error), message: error instanceof Error ? error.message : "the command is malformed" });
      return;
    }
    const isStranger = !this.#isKnown(signed, claims);
    const full = this.#options.mempool.refusalOf({ issuer: signed.command.issuer, isStranger });
    if (full !== undefined) return done(busy(full));
    this.#options.verifier.verify(claims, (verdicts) => {
      const bad = verdicts.indexOf(false);
      if (bad === 0) done({ code: "COMMAND_SIGNATURE_INVALID", message: "the signature does not verify under the command's key" });
      else if (bad > 0) done(innerRefusal(signed));
      // Others may have had it ordered while its signatures were checked: a leader must not order it again.
      else if (this.#options.ledger.wasOrdered(signed)) done({ code: "COMMAND_DUPLICATE", message: "the command was ordered meanwhile" });
      else done(this.#pool(signed, { ...(form ?? this.#formOf(signed)), isStranger }));
    });
  }

  /** Every signature that the command's bytes ask for. @throws {QuorumgateError} when the shape is wrong */
  claimsOf(signed: SignedCommand): SignatureClaim[] {
    checkCommandShape(signed.command, { cluster: this.#options.cluster });
    return [signatureClaim(this.#options.hasher, signed), ...commandClaims(signed.command, this.#options)];
  }

  /** Whether apply() would know the issuer's key by the present state. A question of room only: what counts is decided at the command's place in the order. */
  #isKnown({ command: { kind, issuer, key } }: SignedCommand, claims: readonly SignatureClaim[]): boolean {
    const { state, membership } = this.#options.ledger;
    // A registration is vouched for by an issuer that genesis names, or makes no second claim.
    if (kind === "service.register") return claims.length > 1;
    if (kind === "evidence.record") return findMember(membership, issuer)?.keys.gateway === key;
    return (state.operator(issuer)?.key ?? state.service(issuer)?.publicKey) === key;
  }

  #pool(
    signed: SignedCommand,
    { encoded, leaf, isStranger }: CommandForm & { readonly isStranger: boolean },
  ): AdmissionRefusal | undefined {
    const { mempool, clock } = this.#options;
    const refusal = mempool.add({ signed, encoded, leaf, isStranger, arrivedUs: clock.nowUs() });
    return refusal === undefined ? undefined : busy(refusal);
  }

  #formOf(signed: SignedCommand): CommandForm {
    const encoded = encodeSignedCommand(signed);
    return { encoded, leaf: hashLeaf(this.#options.hasher, encoded) };
  }

  #checkExpiry(signed: SignedCommand): void {
    const now = this.#options.clock.nowUs();
    const { issuedAtUs, expiresAtUs } = signed.command;
    if (expiresAtUs < now) throw new QuorumgateError("COMMAND_EXPIRED", "the command has expired");
    if (issuedAtUs > now + LIMITS.clockSkewMaxUs) throw new QuorumgateError("COMMAND_EXPIRED", "the command is not yet valid");
  }
}

const WAITING: Readonly<Record<PoolRefusal, string>> = {
  "pool-full": "too many commands wait here",
  "issuer-full": "too many commands of this issuer wait here",
  "strangers-full": "too many commands wait here of issuers who are not registered",
};

function busy(refusal: PoolRefusal): AdmissionRefusal {
  return { code: "QUORUM_BUSY", message: WAITING[refusal] };
}

/** A signature inside the command does not verify: of evidence, of an approval or of a new node's keys, or else of the attestation. */
function innerRefusal({ command }: SignedCommand): AdmissionRefusal {
  if (command.kind === "evidence.record") return { code: "EVIDENCE_INVALID", message: "a statement of the evidence does not verify" };
  return isGovernanceKind(command.kind)
    ? { code: "MEMBERSHIP_APPROVALS", message: "an approval or a proof of possession does not verify" }
    : { code: "IDENTITY_ATTESTATION_INVALID", message: "a signature inside the command does not verify" };
}
