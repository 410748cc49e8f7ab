import { EventEmitter } from "eventemitter3";
import { type Command, type Hash, type JsonValue, LIMITS, parseHash, parseSubjectId, QuorumgateError } from "#base";
import { type Signer, signCommand, signCommandBatch } from "#crypto";
import type { BlockEvent, ReplicaEvents } from "#replica";
import { authorizeBody, grantCreateBody, serviceRegisterBody } from "#state";
import type { Backend, CommandOutcome, Consistency, NodeStatus, Submission } from "./backend.ts";
import type { EntryEvent, GatewayEvents } from "./events.ts";
import { HttpBackend, type HttpBackendOptions } from "./http-backend.ts";
import { LocalBackend } from "./local-backend.ts";
import type { ApprovedChange } from "./members.ts";
import { type NodeOptions, startNode } from "./node.ts";
import { authorizationResponse, batchedResponse, questionOf, registrationOf, writeResult } from "./requests.ts";
import type { AuthorizationQuestion, AuthorizationResponse, GrantRequest, ServiceIdentity, Signers, WriteResult } from "./types.ts";

/** A command lives this long: ids are remembered no longer than that. */
const COMMAND_LIFETIME_US = 60_000_000;
/** Kinds of entries that have an event of their own. */
const ENTRY_EVENTS = ["decision", "registration", "revocation", "grant"] as const;

interface Parts {
  readonly backend: Backend;
  readonly signers: Signers;
  readonly stop: () => Promise<void>;
  readonly timeoutMs: number;
}

/**
 * The door for applications: register services, ask for authorization, read decisions and receipts. Allowed, denied and unavailable are answers;
 * what could not be asked at all throws a QuorumgateError with a code and a hint.
 */
export class SecurityGateway extends EventEmitter<GatewayEvents> {
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    super();
    this.#parts = parts;
  }

  /** A node of a cluster in this process. Starts storage, links and replica, in this order. @throws {QuorumgateError} */
  static async start(options: NodeOptions & { readonly signers: Signers; readonly timeoutMs?: number }): Promise<SecurityGateway> {
    const relay: { gateway?: SecurityGateway } = {};
    const node = await startNode({ ...options, events: forwardEvents(relay) });
    relay.gateway = SecurityGateway.over(new LocalBackend(node), { ...options, stop: () => node.stop() });
    return relay.gateway;
  }

  /** The same over HTTP to a cluster. */
  static connect(options: HttpBackendOptions & { readonly signers: Signers; readonly timeoutMs?: number }): Promise<SecurityGateway> {
    const backend = new HttpBackend(options);
    return Promise.resolve(SecurityGateway.over(backend, { ...options, stop: () => backend.close() }));
  }

  /** A gateway over any backend. */
  static over(
    backend: Backend,
    options: { readonly signers: Signers; readonly timeoutMs?: number; readonly stop: () => Promise<void> },
  ): SecurityGateway {
    const { signers, stop, timeoutMs = LIMITS.submitTimeoutMs } = options;
    return new SecurityGateway({ backend, signers, stop, timeoutMs });
  }

  /** Reads and raw submissions. */
  get backend(): Backend {
    return this.#parts.backend;
  }

  /**
   * Registers a service, or renews its attestation. Registrations are always ordered: `requireConsensus` is part of the API and cannot weaken that.
   * @throws {QuorumgateError} IDENTITY_SIGNER_MISSING and rejections before ordering
   */
  async registerService(identity: ServiceIdentity, requireConsensus = true): Promise<WriteResult> {
    if (!requireConsensus) throw new QuorumgateError("FORMAT_SHAPE_INVALID", "registrations are always ordered by consensus");
    return this.#write(identity.id, "service.register", serviceRegisterBody(registrationOf(identity)));
  }

  /** Revokes a service, by an operator or the service itself. */
  revokeService(service: string, revocation: { readonly by: string; readonly reason: string }): Promise<WriteResult> {
    return this.#write(revocation.by, "service.revoke", { service, reason: revocation.reason });
  }

  /** Grants a capability. Its id is the decision id of the result. */
  createGrant(grant: GrantRequest, by: string): Promise<WriteResult> {
    const { service, capability, notBeforeMs, notAfterMs } = grant;
    const draft = { service: parseSubjectId(service), capability, notBeforeUs: notBeforeMs * 1_000, notAfterUs: notAfterMs * 1_000 };
    return this.#write(by, "grant.create", grantCreateBody(draft));
  }

  revokeGrant(grant: string, revocation: { readonly by: string; readonly reason: string }): Promise<WriteResult> {
    return this.#write(revocation.by, "grant.revoke", { grant, reason: revocation.reason });
  }

  /** Changes who takes part: a change that other operators approved, sent by one of them. */
  changeMembers(approved: ApprovedChange, by: string): Promise<WriteResult> {
    return this.#write(by, approved.kind, { change: approved.change, approvals: approved.approvals.map((approval) => ({ ...approval })) });
  }

  /** Members of the epoch, learners, a change that waits, and nodes that left. */
  members(): Promise<JsonValue> {
    return this.#parts.backend.members();
  }

  /** Asks for one authorization, ordered and with its receipt. @throws {QuorumgateError} when the question is malformed */
  async authorizeOperation(question: AuthorizationQuestion): Promise<AuthorizationResponse> {
    const signed = await signCommand(this.#signer(question.serviceId), await this.#fields(question));
    return authorizationResponse(await this.#parts.backend.submit(signed, this.#parts.timeoutMs));
  }

  /** Asks for many at once: one signature covers them all, and each has its own answer and receipt. All must be of one service. */
  async authorizeOperations(questions: readonly AuthorizationQuestion[]): Promise<readonly AuthorizationResponse[]> {
    const [first] = questions;
    if (first === undefined) return [];
    if (questions.some((question) => question.serviceId !== first.serviceId)) {
      throw new QuorumgateError("FORMAT_SHAPE_INVALID", "one signature covers the questions of one service");
    }
    const fields = await Promise.all(questions.map((question) => this.#fields(question)));
    const signed = await signCommandBatch(this.#signer(first.serviceId), fields);
    return (await this.#parts.backend.submitAll(signed, this.#parts.timeoutMs)).map(batchedResponse);
  }

  /**
   * What became of a decision; undefined when nothing is recorded under the id: as far as the asked node has applied, or, with `linearizable`,
   * anywhere before the question. @throws {QuorumgateError} QUORUM_UNAVAILABLE when a linearizable answer cannot be had
   */
  decision(id: string, consistency: Consistency = "local"): Promise<CommandOutcome | "pending" | undefined> {
    return this.#parts.backend.decision(parseHash(id), consistency);
  }

  /** The receipt of a decision, once a quorum's checkpoint covers it. */
  async receipt(id: string): Promise<string | undefined> {
    const outcome = await this.decision(id);
    return outcome === undefined || outcome === "pending" ? undefined : outcome.receipt;
  }

  status(): Promise<NodeStatus> {
    return this.#parts.backend.status();
  }

  /** The policy file with which anyone verifies this cluster's receipts. */
  policy(): Promise<string> {
    return this.#parts.backend.policy();
  }

  /** Stops what was started, in reverse order. */
  async stop(): Promise<void> {
    this.removeAllListeners();
    await this.#parts.stop();
  }

  async #write(issuer: string, kind: string, body: Command["body"]): Promise<WriteResult> {
    const signed = await signCommand(this.#signer(issuer), await this.#command(issuer, kind, body));
    const submission: Submission = await this.#parts.backend.submit(signed, this.#parts.timeoutMs);
    return writeResult(submission);
  }

  #fields(question: AuthorizationQuestion): Promise<Omit<Command, "key" | "id">> {
    return this.#command(question.serviceId, "authorize", authorizeBody(questionOf(question)));
  }

  async #command(issuer: string, kind: string, body: Command["body"]): Promise<Omit<Command, "key" | "id">> {
    const issuedAtUs = Date.now() * 1_000;
    const cluster: Hash = await this.#parts.backend.cluster();
    return { cluster, kind, issuer: parseSubjectId(issuer), issuedAtUs, expiresAtUs: issuedAtUs + COMMAND_LIFETIME_US, body };
  }

  #signer(id: string): Signer {
    const signer = this.#parts.signers.get(id);
    if (signer === undefined) throw new QuorumgateError("IDENTITY_SIGNER_MISSING", `no signer for ${id}`);
    return signer;
  }
}

/** Events of a replica become events of the gateway that will stand before it. */
export function forwardEvents(relay: { readonly gateway?: SecurityGateway }): Partial<ReplicaEvents> {
  return {
    onBlock: (block) => emitBlock(relay.gateway, block),
    onCertified: (point) => relay.gateway?.emit("checkpoint", point),
    onEvidence: ({ node, kind }) => relay.gateway?.emit("evidence", { offender: node, kind }),
    onHalted: (reason) => relay.gateway?.emit("halted", { reason }),
  };
}

function emitBlock(gateway: SecurityGateway | undefined, block: BlockEvent): void {
  const { height, results, firstSeq } = block;
  const timeMs = Math.floor(block.timeUs / 1_000);
  gateway?.emit("block", { height, timeMs, results });
  block.entries.forEach((entry, index) => {
    const name = ENTRY_EVENTS.find((kind) => kind === entry.kind);
    const event: EntryEvent = { seq: firstSeq + index, height, timeMs, entry };
    if (name !== undefined) gateway?.emit(name, event);
  });
}
