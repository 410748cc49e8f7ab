export {
  type CertificateAuthority,
  type CertificateWithKey,
  certificateToPem,
  createCertificateAuthority,
  issueLeaf,
  issueReplicaCertificate,
  replicaSpiffeId,
  type Validity,
} from "./certificates.ts";
export { type CommandFields, createCommandId, createSigner, type Signer, signCommand, signCommandBatch } from "./command-signing.ts";
export { type HashAlgorithm, HashingUtils, type HashOptions, type HmacAlgorithm, nodeHasher } from "./hashing.ts";
export { loadSodium, openSecret, sealSecret } from "./load-sodium.ts";
export { identifyPeer } from "./peer-certificate.ts";
export { readSecretFile, writeSecretFile, writeWholeFile } from "./secret-file.ts";
export type { Argon2idOptions, Ed25519, KeyPair, Sodium, SodiumBackend } from "./sodium.ts";
export { createNodeSigner, createVerifier } from "./verifier.ts";
export {
  type AlternativeName,
  basicConstraints,
  extendedKeyUsage,
  KEY_USAGE_BIT,
  keyUsage,
  OID,
  type ParsedCertificate,
  parseCertificate,
  subjectAlternativeName,
  type X509Extension,
} from "./x509.ts";
