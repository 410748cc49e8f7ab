import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inFile, type KeyRole, type Member, type PublicKey, QuorumgateError, toBase64Url } from "#base";
import type { Ed25519, KeyPair } from "#crypto";
import { readKeyFile, writeKeyFile } from "./key-file.ts";
import { readNodeFile } from "./node-file.ts";
import type { NodeIdentity } from "./node-identity.ts";
import { readPublicFile, writePublicFile } from "./public-file.ts";

/** Roles whose keys a renewal replaces. */
const RENEWED = ["log", "witness"] as const satisfies readonly KeyRole[];

/** Where a renewal lies in a node's folder until its epoch begins: the new secrets, then `node.json`, whose presence says that they are whole. */
function renewalPaths(folder: string): {
  readonly folder: string;
  readonly key: (role: KeyRole) => string;
  readonly nodeFile: string;
} {
  const renewal = join(folder, "renewal");
  return { folder: renewal, key: (role) => join(renewal, `${role}.key`), nodeFile: join(renewal, "node.json") };
}

/**
 * Saves the new keys of a node beside its present ones. Never replaces a renewal that is there: it may be approved already.
 * @throws {QuorumgateError} IDENTITY_FOLDER_INVALID when a renewal is under way
 */
export function saveRenewal(folder: string, identity: NodeIdentity): void {
  const paths = renewalPaths(folder);
  if (existsSync(paths.nodeFile)) {
    throw new QuorumgateError("IDENTITY_FOLDER_INVALID", "a renewal is under way; remove its folder only if no change holds it", {
      data: { path: paths.folder },
    });
  }
  // What a crash left before the statement was written was never given out.
  rmSync(paths.folder, { recursive: true, force: true });
  mkdirSync(paths.folder, { mode: 0o700 });
  for (const role of RENEWED) writeKeyFile(paths.key(role), role, identity.keys[role]);
  writePublicFile(paths.nodeFile, identity.nodeFile);
}

/**
 * The renewed key of a role, if it lies beside the keys that the node began with, or in their place already: others may certify an epoch's first
 * height before this node signs anything in it.
 * @throws {QuorumgateError} IDENTITY_FOLDER_INVALID, SECRET_FILE_*
 */
export function findRenewedKey(
  ed25519: Ed25519,
  folder: string,
  { role, key }: { readonly role: KeyRole; readonly key: PublicKey },
): KeyPair | undefined {
  if (!RENEWED.some((renewed) => renewed === role)) return undefined;
  for (const path of [renewalPaths(folder).key(role), settledPath(folder, role)]) {
    if (!existsSync(path)) continue;
    const pair = readKeyFile(ed25519, path, role);
    if (toBase64Url(pair.publicKey) === key) return pair;
  }
  return undefined;
}

function settledPath(folder: string, role: KeyRole): string {
  return join(folder, "keys", `${role}.key`);
}

/**
 * Puts the renewed keys in the place of the old ones, which are gone with that, once the member that the ledger names has them. May be called
 * again after a crash anywhere in it, and does nothing where no renewal of that member lies. Returns whether it did something.
 */
export function settleRenewal(ed25519: Ed25519, folder: string, member: Member): boolean {
  const paths = renewalPaths(folder);
  if (!existsSync(paths.nodeFile)) return false;
  const renewed = readRenewed(ed25519, paths.nodeFile);
  if (renewed.id !== member.id || RENEWED.some((role) => renewed.keys[role] !== member.keys[role])) return false;
  for (const role of RENEWED) {
    if (existsSync(paths.key(role))) renameSync(paths.key(role), settledPath(folder, role));
  }
  renameSync(paths.nodeFile, join(folder, "node.json"));
  rmSync(paths.folder, { recursive: true });
  return true;
}

/** Goes on with what a crash interrupted: once the first key has moved, the old identity is no longer whole. */
export function resumeRenewal(ed25519: Ed25519, folder: string): void {
  const paths = renewalPaths(folder);
  if (!existsSync(paths.nodeFile) || existsSync(paths.key(RENEWED[0]))) return;
  settleRenewal(ed25519, folder, readRenewed(ed25519, paths.nodeFile));
}

function readRenewed(ed25519: Ed25519, path: string): Member {
  return inFile(path, "IDENTITY_FOLDER_INVALID", () => readNodeFile(ed25519, readPublicFile(path)).member);
}
