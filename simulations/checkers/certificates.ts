import { type EngineName, equalBytes, type Hash, type Membership, type SignatureClaim } from "#base";
import {
  checkCommitCertificate,
  checkPreparedCertificate,
  commitCertificateClaims,
  decodeMessage,
  preparedCertificateClaims,
  type ViewChange,
} from "#consensus";
import type { KeyMill } from "../keys.ts";

/** What certificates are checked against. */
export interface CertificateContext {
  readonly cluster: Hash;
  /** Members of an epoch, as far as any node knows of it. */
  readonly membershipOf: (epoch: number) => Membership | undefined;
  readonly engine: EngineName;
  readonly keys: KeyMill;
}

/** Checks certificates offline, each set of bytes once however many nodes hold it (A3). */
export class CertificateChecker {
  readonly #context: CertificateContext;
  /** Block messages that were found proved, by height: nodes often hold the same bytes. */
  readonly #proved = new Map<number, Uint8Array[]>();

  constructor(context: CertificateContext) {
    this.#context = context;
  }

  /** What is wrong with a stored block; undefined when its certificate proves it. */
  wrongBlock(height: number, stored: Uint8Array): "unreadable" | "unproved" | undefined {
    const proved = this.#proved.get(height) ?? [];
    if (proved.some((known) => equalBytes(known, stored))) return undefined;
    const message = decodeMessage(stored);
    if (message.type !== "block" || message.certificate.height !== height) return "unreadable";
    const { certificate } = message;
    const membership = this.#context.membershipOf(certificate.epoch);
    if (membership === undefined) return "unproved";
    const { cluster, engine } = this.#context;
    const context = { cluster, engine, membership };
    const claims = commitCertificateClaims(certificate, context);
    if (!checkCommitCertificate(certificate, context) || !this.#verifies(claims)) return "unproved";
    this.#proved.set(height, [...proved, stored]);
    return undefined;
  }

  /** Whether everything that a view change offers as prepared is proved. */
  provesPrepared({ prepared }: ViewChange): boolean {
    return prepared.every((certificate) => {
      const membership = this.#context.membershipOf(certificate.epoch);
      if (membership === undefined) return false;
      const claims = preparedCertificateClaims(certificate, { ...this.#context, membership });
      return checkPreparedCertificate(certificate, membership) && this.#verifies(claims);
    });
  }

  #verifies(claims: readonly SignatureClaim[]): boolean {
    let valid = false;
    this.#context.keys.verifier.verify(claims, (verdicts) => {
      valid = verdicts.length === claims.length && verdicts.every(Boolean);
    });
    return valid;
  }
}
