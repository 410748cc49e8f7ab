export { ERROR_ROWS, type ErrorCode, QuorumgateError } from "#base";
export { HashingUtils, type Signer } from "#crypto";
export {
  type AuthorizationQuestion,
  type AuthorizationResponse,
  type CommandOutcome,
  type Consistency,
  createDevCluster,
  createServiceIdentity,
  type DevCluster,
  type GatewayEvents,
  type GrantRequest,
  type Health,
  type NodeStatus,
  SecurityGateway,
  type ServiceIdentity,
  type ServiceIdentityOptions,
  type Signers,
  type WriteResult,
} from "#gateway";
export { type Capability, CapabilityBuilder, type CapabilityPattern, capabilityPreset } from "#state";
