import type { Socket } from "node:net";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { type JsonValue, LIMITS, parseJson, QuorumgateError, type SignedCommand, signedCommandFromJson, type Telemetry } from "#base";
import { type BatchedSubmission, type Submission, systemTimers } from "#gateway";
import { GOVERNANCE_KINDS } from "#state";
import { Access } from "./access.ts";
import { ClientShares, SHARE_LIMITS } from "./client-shares.ts";
import { type HttpContext, type HttpOptions, outcomeBody } from "./context.ts";
import { OPENAPI } from "./openapi.ts";
import { type Problem, problemOf, problemOfError, sendProblem } from "./problem.ts";
import { Ration } from "./ration.ts";
import { registerReads } from "./reads.ts";

/** Requests of one connection and time are bounded elsewhere; these bound what a slow or hostile client may hold. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
const CONNECTIONS_MAX = 2_000;
/** How often it is looked for requests that are too slow. */
const TIMEOUT_CHECK_MS = 1_000;
/** Of one address. Several times what a node can order, so that it stops floods and no honest gateway with many users behind it. */
const REQUESTS_PER_SECOND = 10_000;
/** Of one address, and of one issuer: an honest client meets a few. Ten times as many at once. */
const REFUSALS_PER_SECOND = 10;
const REFUSAL_SECONDS = 10;
/** Commands of one call: the path of batch-signing clients. */
export const BATCH_MAX = 256;

/** Makes the HTTP API; `listen` on the result serves it. */
export function createHttpServer(options: HttpOptions): FastifyInstance {
  const { cluster, state, hasher, verifier, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const access = new Access({ cluster, state, hasher, verifier, nowUs: () => Date.now() * 1_000 });
  const checking = { connectionsCheckingInterval: Math.min(requestTimeoutMs, TIMEOUT_CHECK_MS) };
  const app = fastify({
    frameworkErrors: (error: Error, _request: FastifyRequest, reply: FastifyReply) => sendProblem(reply, problemOfError(error)),
    clientErrorHandler: answerClientError,
    bodyLimit: LIMITS.httpBodyBytesMax * 8,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: 0,
    keepAliveTimeout: 75_000,
    forceCloseConnections: true,
    ...(options.tls === undefined
      ? { http: checking }
      : { https: { ...checking, key: options.tls.key, cert: options.tls.certificate, minVersion: "TLSv1.3" as const } }),
  } as object) as unknown as FastifyInstance;
  app.server.headersTimeout = Math.min(requestTimeoutMs, HEADERS_TIMEOUT_MS);
  app.server.maxConnections = CONNECTIONS_MAX;
  const [addresses, issuers] = [rationOf(options), rationOf(options)];
  const denials = new WeakMap<FastifyRequest, number>();
  const context: HttpContext = { ...options, access, denials, issuers, caller: (request) => access.check(request.headers.authorization) };
  share(app, new ClientShares({ limits: SHARE_LIMITS, ration: addresses, timers: systemTimers }), denials);
  guardHost(app);
  measure(app, options.telemetry);
  readBodies(app);
  answerErrors(app, options.telemetry);
  protect(app, options.requestsPerSecond ?? REQUESTS_PER_SECOND);
  // Routes come in a plugin of their own: what protects them has to be there before them.
  void app.register((routes: FastifyInstance, _options: object, done: () => void) => {
    registerWrites(routes, context);
    registerReads(routes, context);
    routes.get("/v1/openapi.json", () => OPENAPI);
    done();
  });
  return app;
}

function rationOf({ refusalsPerSecond = REFUSALS_PER_SECOND }: HttpOptions): Ration {
  return new Ration({ atOnce: REFUSAL_SECONDS * refusalsPerSecond, perSecond: refusalsPerSecond, nowMs: () => performance.now() });
}

/** Before anything is done for a request, it is its address's turn. */
function share(app: FastifyInstance, shares: ClientShares, denials: WeakMap<FastifyRequest, number>): void {
  app.server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    if (!shares.connect(address)) return void socket.destroy();
    socket.once("close", () => shares.disconnect(address));
  });
  app.addHook("onRequest", (request, reply, done) => {
    const { ip } = request;
    const run = (): void => {
      // Who hung up while it waited is not served any more.
      if (reply.raw.destroyed) return shares.end(ip, { refusals: 0 });
      reply.raw.once("close", () => shares.end(ip, { refusals: reply.raw.statusCode >= 400 ? 1 : (denials.get(request) ?? 0) }));
      return done();
    };
    if (!shares.begin(ip, run)) request.raw.socket.destroy();
  });
}

/** Routes as they are declared, so that a caller cannot make up names of series. */
function measure(app: FastifyInstance, telemetry: Telemetry): void {
  app.addHook("onResponse", (request, reply, done) => {
    const route = request.routeOptions.url ?? "none";
    telemetry.count("quorumgate_http_requests_total", 1, { method: request.method, route, status: String(reply.statusCode) });
    telemetry.observe("quorumgate_http_request_seconds", reply.elapsedTime / 1_000, { route });
    done();
  });
}

/** Headers that keep a browser from misusing an answer, and a bound on what one address may ask. */
function protect(app: FastifyInstance, requestsPerSecond: number): void {
  void app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    referrerPolicy: { policy: "no-referrer" },
  });
  void app.register(rateLimit, {
    max: requestsPerSecond,
    timeWindow: 1_000,
    errorResponseBuilder: () => new QuorumgateError("REQUEST_RATE_LIMITED", "too many requests from this address within a second"),
  });
}

/** Against pages that make a browser call this node: a name that is not a loopback name, or a foreign origin, is refused. */
function guardHost(app: FastifyInstance): void {
  app.addHook("onRequest", (request, _reply, done) => {
    const host = (request.headers.host ?? "").replace(/:\d+$/, "");
    const isNumeric = /^(?:\d{1,3}\.){3}\d{1,3}$/.test(host) || host.startsWith("[");
    const { origin } = request.headers;
    if (!isNumeric && host !== "localhost")
      return done(new QuorumgateError("REQUEST_HOST", "the Host header is not an address of this node"));
    if (origin !== undefined && hostOf(origin) !== host)
      return done(new QuorumgateError("REQUEST_HOST", "requests of other origins are refused"));
    return done();
  });
}

/** The host of an origin; undefined for what is none, such as `null` or a malformed one. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).hostname : undefined;
}

/** Bodies are read by the strict reader: UTF-8, JSON, and nothing else. */
function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) => {
    try {
      done(null, parseJson(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

function answerErrors(app: FastifyInstance, telemetry: Telemetry): void {
  app.setErrorHandler((error, _request, reply) => {
    const problem = problemOfError(error);
    if (problem.status >= 500 && problem.code === "INTERNAL_ERROR") {
      telemetry.log("error", "http.failed", { reason: error instanceof Error ? error.message : "unknown" });
    }
    telemetry.count("quorumgate_refusals_total", 1, { code: problem.code });
    return sendProblem(reply, problem);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, problemOf("REQUEST_NOT_FOUND", `there is nothing at ${request.method} of this address`)),
  );
}

/** What is no HTTP at all, or came too slowly, is answered once and its connection closed. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const problem = problemOfClient(error.code);
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 ${problem.status} ${problem.title}\r\nContent-Type: application/problem+json\r\n`;
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
}

function problemOfClient(code: string | undefined): Problem {
  if (code === "HPE_HEADER_OVERFLOW") return problemOf("REQUEST_HEADERS_TOO_LARGE", "the header of the request is too large");
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return problemOf("REQUEST_TIMEOUT", "the request did not arrive in time");
  return problemOf("FORMAT_SHAPE_INVALID", "this is not a request of HTTP/1.1");
}

/** Kinds of commands by the address that takes them. */
const WRITES: Readonly<Record<string, readonly string[]>> = {
  "/v1/services": ["service.register"],
  "/v1/services/:id/revoke": ["service.revoke"],
  "/v1/grants": ["grant.create"],
  "/v1/grants/:id/revoke": ["grant.revoke"],
  "/v1/members/changes": GOVERNANCE_KINDS,
  "/v1/authorize": ["authorize"],
};

/** Outcomes of commands that were ordered and had no other effect than their record. */
const DENIALS: readonly string[] = ["denied", "refused"];

function registerWrites(app: FastifyInstance, context: HttpContext): void {
  for (const [path, kinds] of Object.entries(WRITES)) {
    app.post(path, async (request, reply) => {
      const signed = readCommand(context, request.body as JsonValue, kinds);
      checkIdempotencyKey(request, signed);
      const submission = await context.backend.submit(signed, timeoutOf(context, request));
      countDenials(context, request, [[signed, submission]]);
      return answer(reply, submission);
    });
  }
  app.post("/v1/commands", async (request, reply) => {
    const body = request.body as { readonly commands?: readonly JsonValue[] } | null;
    const commands = body?.commands;
    if (!Array.isArray(commands) || commands.length === 0 || commands.length > BATCH_MAX || Object.keys(body ?? {}).length !== 1) {
      throw new QuorumgateError("FORMAT_SHAPE_INVALID", `commands holds 1 to ${BATCH_MAX} signed commands`);
    }
    const signed = commands.map((command) => signedCommandFromJson(context.hasher, command as JsonValue));
    const submissions = await submitBatch(context, signed, timeoutOf(context, request));
    countDenials(
      context,
      request,
      signed.map((command, at) => [command, submissions[at]]),
    );
    return reply.type("application/json").send(JSON.stringify({ results: submissions.map((submission) => answerBody(submission).body) }));
  });
}

/** Has those submitted that may be; the answers stand in the order of the commands. */
async function submitBatch(
  context: HttpContext,
  signed: readonly SignedCommand[],
  timeoutMs: number,
): Promise<readonly BatchedSubmission[]> {
  const kinds = Object.values(WRITES).flat();
  const refusals = signed.map((command): BatchedSubmission | undefined => {
    const refusal = refusalOf(context, command, kinds);
    return refusal && { kind: "refused", code: refusal.code, message: refusal.message, decisionId: command.hash };
  });
  const taken = signed.filter((_, at) => refusals[at] === undefined);
  const answers = await context.backend.submitAll(taken, timeoutMs);
  let next = 0;
  return refusals.flatMap((refusal) => refusal ?? answers[next++] ?? []);
}

function readCommand(context: HttpContext, body: JsonValue, kinds: readonly string[]): SignedCommand {
  const signed = signedCommandFromJson(context.hasher, body);
  const refusal = refusalOf(context, signed, kinds);
  if (refusal !== undefined) throw refusal;
  return signed;
}

/** Why an address does not take a command. */
function refusalOf({ issuers }: HttpContext, { command }: SignedCommand, kinds: readonly string[]): QuorumgateError | undefined {
  if (!kinds.includes(command.kind)) return new QuorumgateError("COMMAND_KIND_UNKNOWN", `this address takes ${kinds.join(", ")}`);
  if (issuers.credit(command.issuer) < 1)
    return new QuorumgateError("REQUEST_RATE_LIMITED", "commands of this issuer were denied too often");
  return undefined;
}

/**
 * A denial is ordered, recorded and cosigned like any decision: it is rationed as a refusal is, by address and by the issuer, who has signed it.
 * Nobody else can spend an issuer's ration: what was refused before its signature was looked at is the address's alone.
 */
function countDenials(
  { denials, issuers, telemetry }: HttpContext,
  request: FastifyRequest,
  answered: readonly (readonly [SignedCommand, BatchedSubmission | undefined])[],
): void {
  const refused = answered.flatMap(([, submission]) => (submission?.kind === "refused" ? [submission.code] : []));
  for (const code of refused) telemetry.count("quorumgate_refusals_total", 1, { code });
  const denied = answered.filter(([, submission]) => submission?.kind === "ordered" && DENIALS.includes(submission.outcome.outcome));
  for (const [{ command }] of denied) issuers.spend(command.issuer, 1);
  denials.set(request, denied.length + refused.length);
}

/** For signed calls the key is the command's id: the same id with other bytes is refused when it is ordered. */
function checkIdempotencyKey(request: FastifyRequest, signed: SignedCommand): void {
  const key = request.headers["idempotency-key"];
  if (key !== undefined && key !== signed.command.id)
    throw new QuorumgateError("REQUEST_CONFLICT", "Idempotency-Key is not the command's id");
}

/** The node's bound, or the shorter one that the caller prefers (RFC 7240, wait, in seconds). */
function timeoutOf(context: HttpContext, request: FastifyRequest): number {
  const limit = context.submitTimeoutMs ?? LIMITS.submitTimeoutMs;
  const [, seconds] = /(?:^|[,; ])wait=(\d{1,4})(?:$|[,; ])/.exec(String(request.headers["prefer"] ?? "")) ?? [];
  return seconds === undefined ? limit : Math.min(limit, Math.max(1, Number(seconds)) * 1_000);
}

function answer(reply: FastifyReply, submission: Submission): FastifyReply {
  const { status, body } = answerBody(submission);
  const type = status < 300 ? "application/json" : "application/problem+json";
  return reply.code(status).type(type).send(JSON.stringify(body));
}

/** Denied is an answer, not an error; what was refused carries its code's status; unavailable says that the outcome is unknown. */
function answerBody(submission: BatchedSubmission): { status: number; body: JsonValue } {
  if (submission.kind === "refused") {
    const problem = problemOf(submission.code, submission.message, { decisionId: submission.decisionId });
    return { status: problem.status, body: problem };
  }
  if (submission.kind === "unavailable") {
    const { code, decisionId, waitingFor } = submission;
    const problem = problemOf(code, "no certified answer in time; the outcome is unknown until the command expires", {
      decisionId,
      waitingFor,
    });
    return { status: problem.status, body: problem };
  }
  const { outcome } = submission;
  if (outcome.outcome !== "refused") return { status: 200, body: outcomeBody(outcome) };
  const problem = problemOf(outcome.code, "the command was ordered and refused", outcomeBody(outcome) as Record<string, JsonValue>);
  return { status: problem.status, body: problem };
}
