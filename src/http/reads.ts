import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { parsePolicy, parseReceipt, receiptView } from "#audit";
import { isObject, parseCanonicalObject, parseDecimal, QuorumgateError, toBase64 } from "#base";
import type { CommandOutcome, Consistency } from "#gateway";
import { decisionIdOf, type HttpContext, outcomeBody } from "./context.ts";
import { problemOf, sendProblem } from "./problem.ts";

const ENTRIES_MAX = 500;
const SERVICES_MAX = 200;

/** Everything that reads. All but health needs an access token. */
export function registerReads(app: FastifyInstance, context: HttpContext): void {
  registerDecisions(app, context);
  registerServices(app, context);
  registerMembers(app, context);
  registerLog(app, context);
  registerHealth(app, context);
}

function registerDecisions(app: FastifyInstance, context: HttpContext): void {
  app.get("/v1/decisions/:id", async (request, reply) => {
    const outcome = await findOutcome(context, request);
    if (outcome === "pending")
      return reply
        .code(202)
        .header("location", request.url)
        .send({ decisionId: decisionIdOf(request), outcome: "pending" });
    return reply.type("application/json").send(JSON.stringify(outcomeBody(outcome)));
  });
  app.get("/v1/receipts/:id", async (request, reply) => {
    const outcome = await findOutcome(context, request);
    if (outcome === "pending" || outcome.receipt === undefined)
      throw new QuorumgateError("AUDIT_NOT_CERTIFIED", "no checkpoint covers the entry yet");
    if (request.headers.accept?.includes("application/json") !== true) return reply.type("text/plain; charset=utf-8").send(outcome.receipt);
    return reply.send(
      receiptView(parseReceipt(outcome.receipt), { policy: parsePolicy(await context.backend.policy()), answeringNode: context.node }),
    );
  });
}

/** A service sees its own decisions; operators and auditors see all. */
async function findOutcome(context: HttpContext, request: FastifyRequest): Promise<CommandOutcome | "pending"> {
  const caller = context.caller(request);
  const outcome = await context.backend.decision(decisionIdOf(request), consistencyOf(request));
  if (outcome === undefined) throw new QuorumgateError("COMMAND_UNKNOWN", "no decision with this id is recorded here");
  if (caller.role !== "service" || outcome === "pending") return outcome;
  const [bytes] = outcome.seq === undefined ? [] : await context.backend.entries({ from: outcome.seq, to: outcome.seq + 1 });
  const entry = bytes === undefined ? undefined : parseCanonicalObject(bytes);
  if (!isObject(entry) || (entry["actor"] !== caller.id && entry["subject"] !== caller.id)) {
    throw new QuorumgateError("REQUEST_FORBIDDEN", "a service reads its own decisions only");
  }
  return outcome;
}

function registerServices(app: FastifyInstance, context: HttpContext): void {
  app.get("/v1/services", async (request) => {
    requireReader(context, request);
    const { after, limit } = request.query as { after?: string; limit?: string };
    const count = limit === undefined ? 50 : parseDecimal(limit, "limit");
    const page = { limit: Math.max(1, Math.min(count, SERVICES_MAX)), ...(after === undefined ? {} : { after }) };
    return context.backend.services(page, consistencyOf(request));
  });
  app.get("/v1/services/:id", async (request) => {
    const { id } = request.params as { id: string };
    const caller = context.caller(request);
    if (caller.role === "service" && caller.id !== id)
      throw new QuorumgateError("REQUEST_FORBIDDEN", "a service reads its own record only");
    const service = await context.backend.service(id, consistencyOf(request));
    if (service === undefined) throw new QuorumgateError("IDENTITY_UNKNOWN", "the service is not registered");
    return service;
  });
}

function registerMembers(app: FastifyInstance, context: HttpContext): void {
  app.get("/v1/members", async (request) => {
    context.caller(request);
    return context.backend.members(consistencyOf(request));
  });
}

function registerLog(app: FastifyInstance, context: HttpContext): void {
  app.get("/v1/audit/policy", async (request, reply) => {
    context.caller(request);
    return reply.type("text/plain; charset=utf-8").send(await context.backend.policy());
  });
  app.get("/v1/audit/checkpoint", async (request, reply) => {
    context.caller(request);
    return sendFile(reply, await context.backend.checkpoint());
  });
  app.get("/v1/audit/entries", async (request) => {
    requireReader(context, request);
    const { from, to } = request.query as { from?: string; to?: string };
    const first = parseDecimal(from ?? "0", "from");
    const end = to === undefined ? first + 100 : parseDecimal(to, "to");
    if (end <= first) throw new QuorumgateError("AUDIT_RANGE", "to lies after from");
    const entries = await context.backend.entries({ from: first, to: Math.min(end, first + ENTRIES_MAX) });
    return { from: first, entries: entries.map(toBase64) };
  });
  app.get("/v1/audit/proof", async (request) => {
    context.caller(request);
    const { seq } = request.query as { seq?: string };
    const proof = await context.backend.proof(parseDecimal(seq ?? "", "seq"));
    if (proof === undefined) throw new QuorumgateError("AUDIT_NOT_CERTIFIED", "no checkpoint covers the entry yet");
    return proof;
  });
  app.get("/v1/audit/:shard/*", async (request, reply) => {
    const { shard, "*": path } = request.params as { shard: string; "*": string };
    if (path === "checkpoint") context.caller(request);
    else requireReader(context, request);
    return sendFile(reply, await context.backend.logFile(`${shard}/${path}`));
  });
}

function registerHealth(app: FastifyInstance, context: HttpContext): void {
  app.get("/v1/status", async (request) => {
    context.caller(request);
    return context.backend.status();
  });
  app.get("/health/live", () => ({ status: "live", node: context.node }));
  app.get("/health/ready", async (_request, reply) => {
    const { mode, health } = await context.backend.status();
    if (mode === "participating" && health.canDecide) return { status: "ready", node: context.node, summary: health.summary };
    const problem = problemOf(mode === "recovering" ? "QUORUM_NODE_RECOVERING" : "QUORUM_UNAVAILABLE", health.summary);
    return sendProblem(reply, problem);
  });
  app.get("/metrics", async (request, reply) => {
    requireReader(context, request);
    return reply.type("text/plain; version=0.0.4; charset=utf-8").send(await context.metrics());
  });
}

/** `?consistency=linearizable`: with everything that was acknowledged to anybody before. @throws {QuorumgateError} FORMAT_SHAPE_INVALID */
function consistencyOf(request: FastifyRequest): Consistency {
  const { consistency = "local" } = request.query as { consistency?: string };
  if (consistency !== "local" && consistency !== "linearizable")
    throw new QuorumgateError("FORMAT_SHAPE_INVALID", "consistency is local or linearizable");
  return consistency;
}

/** Operators and auditors read everything. */
function requireReader(context: HttpContext, request: FastifyRequest): void {
  if (context.caller(request).role === "service") throw new QuorumgateError("REQUEST_FORBIDDEN", "this needs the operator or auditor role");
}

function sendFile(reply: FastifyReply, file: Uint8Array | string | undefined): FastifyReply {
  if (file === undefined) throw new QuorumgateError("REQUEST_NOT_FOUND", "the log has no such file");
  if (typeof file === "string") return reply.type("text/plain; charset=utf-8").send(file);
  return reply.type("application/octet-stream").send(Buffer.from(file));
}
