import type { FastifyReply } from "fastify";
import { describeError, errorCode, isErrorCode, type JsonValue, QuorumgateError } from "#base";

/** A problem as of RFC 9457, with this project's code and hint. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly hint: string;
  readonly [extension: string]: JsonValue;
}

/** The problem of a code, with what is particular about this occurrence. */
export function problemOf(code: string, detail: string, extensions: Readonly<Record<string, JsonValue>> = {}): Problem {
  const known = isErrorCode(code) ? code : "INTERNAL_ERROR";
  const { status, title, hint } = describeError(known);
  return { ...extensions, type: `urn:quorumgate:error:${known}`, title, status, code: known, detail, hint };
}

/** The problem that an error is answered with: of our own, its message; of anything else, nothing but that it happened. */
export function problemOfError(error: unknown): Problem {
  if (error instanceof QuorumgateError) return problemOf(error.code, error.message);
  const status = fastifyStatus(error);
  if (status === 413) return problemOf("FORMAT_TOO_LARGE", "the body is too large");
  if (status === 415) return problemOf("REQUEST_CONTENT_TYPE", "the body must be application/json");
  if (status === 429) return problemOf("REQUEST_RATE_LIMITED", "too many requests from this address");
  if (status === 408) return problemOf("REQUEST_TIMEOUT", "the request did not arrive in time");
  if (status !== undefined && status < 500) return problemOf("FORMAT_SHAPE_INVALID", "the request is not well formed");
  return problemOf(errorCode(error), "an unexpected error; the node's log has it");
}

/** Answers with a problem. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply.code(problem.status).type("application/problem+json").send(JSON.stringify(problem));
}

function fastifyStatus(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("statusCode" in error)) return undefined;
  return typeof error.statusCode === "number" ? error.statusCode : undefined;
}
