import { type Hash, signedBytes, toBase64Url } from "#base";
import type { Signer } from "#crypto";
import { type Attestation, type AttestedSubject, attestationBytes } from "#state";

/** Signs an issuer's word for a service (purpose `attestation`). The body is the one that the state machine checks. */
export async function attest(
  issuer: Signer,
  attested: { readonly cluster: Hash; readonly subject: AttestedSubject; readonly attestation: Omit<Attestation, "signature"> },
): Promise<Attestation> {
  const signature = await issuer.sign(signedBytes("attestation", attestationBytes(attested)));
  return { ...attested.attestation, signature: toBase64Url(signature) };
}
