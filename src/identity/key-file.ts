import { fromBase64Url, QuorumgateError, toBase64Url } from "#base";
import { type Ed25519, type KeyPair, readSecretFile, writeSecretFile } from "#crypto";

const PREFIX = "quorumgate-secret-v1";

/**
 * Writes a key's 32-byte seed as one line, `quorumgate-secret-v1 <label> <base64url>`. The label keeps files that were mixed up from
 * being used in each other's role.
 */
export function writeKeyFile(path: string, label: string, keys: KeyPair): void {
  // libsodium's secret key is seed ‖ public key.
  writeSecretFile(path, `${PREFIX} ${label} ${toBase64Url(keys.secretKey.subarray(0, 32))}\n`);
}

/**
 * Reads what `writeKeyFile` wrote under the same label.
 * @throws {QuorumgateError} IDENTITY_FOLDER_INVALID, SECRET_FILE_UNSAFE, SECRET_FILE_UNREADABLE
 */
export function readKeyFile(ed25519: Ed25519, path: string, label: string): KeyPair {
  const [prefix, written, seed = "", ...rest] = readSecretFile(path).toString("latin1").trimEnd().split(" ");
  // The file's text must not reach the message: it is the secret.
  if (prefix !== PREFIX || written !== label || rest.length > 0 || !/^[A-Za-z0-9_-]{43}$/.test(seed)) {
    throw new QuorumgateError("IDENTITY_FOLDER_INVALID", `not the key file of ${label}`, { data: { path } });
  }
  return ed25519.generateKeyPair(fromBase64Url(seed));
}
