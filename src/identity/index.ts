export { attest } from "./attest.ts";
export { assembleGenesis, type GenesisParts } from "./genesis-assembly.ts";
export { type NodeFile, readNodeFile } from "./node-file.ts";
export { loadNodeIdentity, saveNodeIdentity } from "./node-folder.ts";
export {
  createNodeIdentity,
  gatewaySignerOf,
  type NodeIdentity,
  type NodeIdentityOptions,
  nodeSignerOf,
  renewNodeIdentity,
} from "./node-identity.ts";
export { findRenewedKey, saveRenewal, settleRenewal } from "./renewal.ts";
export {
  createServiceKey,
  encodePublicIdentity,
  loadServiceKey,
  type PublicIdentity,
  readPublicIdentity,
  type ServiceKey,
  saveServiceKey,
  serviceSignerOf,
} from "./service-key.ts";
