import type { FastifyRequest } from "fastify";
import { type Hash, type Hasher, type JsonValue, parseHash, type SignatureVerifier, type Telemetry } from "#base";
import type { Backend, CommandOutcome } from "#gateway";
import type { LedgerState } from "#state";
import type { Access, Caller } from "./access.ts";
import type { Ration } from "./ration.ts";

/** What the HTTP API is served from. */
export interface HttpOptions {
  readonly backend: Backend;
  readonly cluster: Hash;
  readonly node: string;
  readonly hasher: Hasher;
  readonly verifier: SignatureVerifier;
  readonly state: () => LedgerState;
  readonly metrics: () => Promise<string>;
  readonly telemetry: Telemetry;
  /** PEM key and certificate; without them only loopback is served. */
  readonly tls?: { readonly key: string; readonly certificate: string };
  readonly submitTimeoutMs?: number;
  /** Refusals and denials that one address, or one issuer, may meet in a second, and ten times as many at once, before it waits; 10 when absent. */
  readonly refusalsPerSecond?: number;
  /** Within what time all of a request has to be here, its headers within 10 seconds of it; 15 seconds when absent. */
  readonly requestTimeoutMs?: number;
  /** Requests that one address may send in a second; 10,000 when absent. */
  readonly requestsPerSecond?: number;
}

/** What handlers need. */
export interface HttpContext extends HttpOptions {
  readonly access: Access;
  /** Commands of a request that were denied. */
  readonly denials: WeakMap<FastifyRequest, number>;
  /** What issuers may be denied before they wait. */
  readonly issuers: Ration;
  /** @throws {QuorumgateError} when the caller may not read */
  caller(request: FastifyRequest): Caller;
}

/** A recorded outcome as callers see it. */
export function outcomeBody(outcome: CommandOutcome): JsonValue {
  const { decisionId, outcome: verdict, code, height, timeMs, answer: explanation, seq, receipt } = outcome;
  return {
    decisionId,
    outcome: verdict,
    reason: code,
    height,
    timeMs,
    explanation,
    ...(seq === undefined ? {} : { seq }),
    ...(receipt === undefined ? {} : { receipt }),
  };
}

/** The id in an address. @throws {QuorumgateError} FORMAT_HASH_INVALID */
export function decisionIdOf(request: FastifyRequest): Hash {
  return parseHash((request.params as { id: string }).id);
}
