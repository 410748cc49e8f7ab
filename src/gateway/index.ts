export type {
  Backend,
  BatchedSubmission,
  CommandOutcome,
  Consistency,
  EntryProofAnswer,
  Health,
  NodeStatus,
  Submission,
} from "./backend.ts";
export { createDevCluster, type DevCluster } from "./dev-cluster.ts";
export type { EntryEvent, GatewayEvents } from "./events.ts";
export { describeHealth, describeStatus } from "./health.ts";
export { type AccessIdentity, HttpBackend, type HttpBackendOptions } from "./http-backend.ts";
export { LocalBackend } from "./local-backend.ts";
export type { ApprovedChange } from "./members.ts";
export { type Interposition, initializeNodeData, type NodeOptions, type RunningNode, startNode } from "./node.ts";
export { SecurityGateway } from "./security-gateway.ts";
export { createServiceIdentity, type ServiceIdentityOptions } from "./service-identity.ts";
export { systemClock, systemTimers } from "./system-ports.ts";
export type {
  AuthorizationQuestion,
  AuthorizationResponse,
  GrantRequest,
  ServiceIdentity,
  Signers,
  WriteResult,
} from "./types.ts";
