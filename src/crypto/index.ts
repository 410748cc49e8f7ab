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
export { identifyPeer } from "./peer-certificate.ts";
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
