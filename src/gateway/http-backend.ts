import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import {
  type CanonicalObject,
  encodeUtf8,
  fromBase64,
  type Hash,
  isErrorCode,
  type JsonValue,
  LIMITS,
  parseHash,
  QuorumgateError,
  type SignedCommand,
  signedCommandToJson,
  toBase64Url,
} from "#base";
import { type Signer, signCommand } from "#crypto";
import { isGovernanceKind } from "#state";
import type { Backend, BatchedSubmission, CommandOutcome, Consistency, EntryProofAnswer, NodeStatus, Submission } from "./backend.ts";

/** Who reads: an operator, auditor or registered service. */
export interface AccessIdentity {
  readonly id: string;
  readonly signer: Signer;
}

/** Where a cluster is reached. */
export interface HttpBackendOptions {
  /** Base URLs of nodes, the nearest first; the next is tried when one does not answer. */
  readonly urls: readonly string[];
  readonly cluster: Hash;
  /** Needed for reads. */
  readonly access?: AccessIdentity;
  /** Pinned authority for https URLs, PEM. */
  readonly ca?: string;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** An access token is used this long, and valid a little longer. */
const TOKEN_USE_US = 60_000_000;
const ANSWER_BYTES_MAX = 67_108_864;
/** Beyond the node's own bound: a node that hangs is given up for the next. */
const PATIENCE_MS = 3_000;

/** The cluster over HTTP. A command's bytes go unchanged to the next node when one fails: an id takes effect once. */
export class HttpBackend implements Backend {
  readonly #options: HttpBackendOptions;
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  #token: { readonly text: string; readonly untilUs: number } | undefined;
  #preferred = 0;

  constructor(options: HttpBackendOptions) {
    if (options.urls.length === 0) throw new QuorumgateError("CONFIG_INVALID", "a cluster is reached by at least one URL");
    this.#options = options;
    const keepAlive = { keepAlive: true, maxSockets: 256 };
    this.#agents = {
      http: new HttpAgent(keepAlive),
      https: new HttpsAgent({ ...keepAlive, ...(options.ca === undefined ? {} : { ca: options.ca }) }),
    };
  }

  cluster(): Promise<Hash> {
    return Promise.resolve(this.#options.cluster);
  }

  async submit(signed: SignedCommand, timeoutMs: number): Promise<Submission> {
    const body = JSON.stringify(signedCommandToJson(signed));
    const read: AnswerReader<Submission> = (value, status) => [submissionOf(signed.hash, value, status)];
    const [submission = unreachable(signed)] = await this.#submit({ path: pathOf(signed), body, timeoutMs }, [signed], read);
    return submission;
  }

  async submitAll(signed: readonly SignedCommand[], timeoutMs: number): Promise<readonly BatchedSubmission[]> {
    const body = JSON.stringify({ commands: signed.map(signedCommandToJson) });
    return this.#submit({ path: "/v1/commands", body, timeoutMs }, signed, (value, status) => {
      const { results } = value as { readonly results?: readonly CanonicalObject[] };
      if (results === undefined) throw problemError(value as JsonValue, status);
      return signed.map((command, index) => batchedSubmissionOf(command, results[index]));
    });
  }

  async decision(id: Hash, consistency?: Consistency): Promise<CommandOutcome | "pending" | undefined> {
    const answer = await this.#read(`/v1/decisions/${id}${queryOf({ consistency })}`);
    if (answer.status === 404) return undefined;
    if (answer.status === 202) return "pending";
    return outcomeOf(parse(answer) as unknown as CanonicalObject);
  }

  async status(): Promise<NodeStatus> {
    return parse(await this.#read("/v1/status")) as unknown as NodeStatus;
  }

  async service(id: string, consistency?: Consistency): Promise<JsonValue | undefined> {
    const answer = await this.#read(`/v1/services/${encodeURIComponent(id)}${queryOf({ consistency })}`);
    return answer.status === 404 ? undefined : parse(answer);
  }

  async services(page: { readonly after?: string; readonly limit: number }, consistency?: Consistency): Promise<JsonValue> {
    return parse(await this.#read(`/v1/services${queryOf({ limit: String(page.limit), after: page.after, consistency })}`));
  }

  async members(consistency?: Consistency): Promise<JsonValue> {
    return parse(await this.#read(`/v1/members${queryOf({ consistency })}`));
  }

  async entries(range: { readonly from: number; readonly to: number }): Promise<readonly Uint8Array[]> {
    const answer = parse(await this.#read(`/v1/audit/entries?from=${range.from}&to=${range.to}`)) as unknown as {
      entries: readonly string[];
    };
    return answer.entries.map(fromBase64);
  }

  async proof(seq: number): Promise<EntryProofAnswer | undefined> {
    const answer = await this.#read(`/v1/audit/proof?seq=${seq}`);
    return answer.status === 503 ? undefined : (parse(answer) as unknown as EntryProofAnswer);
  }

  async policy(): Promise<string> {
    return text(await this.#read("/v1/audit/policy"));
  }

  async checkpoint(): Promise<string | undefined> {
    const answer = await this.#read("/v1/audit/checkpoint");
    return answer.status === 404 ? undefined : text(answer);
  }

  async logFile(path: string): Promise<Uint8Array | undefined> {
    const answer = await this.#read(`/v1/audit/${path}`);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw problemError(parse(answer), answer.status);
    return new Uint8Array(answer.body);
  }

  close(): Promise<void> {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
    return Promise.resolve();
  }

  /**
   * Has one node after the other take commands, until one says what became of them. A node that may have taken them and said nothing, or that stops
   * or is busy, may have them ordered yet: what another one refuses after that, as expired by its clock, is not what became of them, and the outcome
   * stays unknown. @throws {QuorumgateError} what the first node that was reached refuses
   */
  async #submit<T extends BatchedSubmission>(
    call: { readonly path: string; readonly body: string; readonly timeoutMs: number },
    signed: readonly SignedCommand[],
    read: AnswerReader<T>,
  ): Promise<readonly (T | Submission)[]> {
    let unknown: readonly (T | Submission)[] | undefined;
    for (const at of this.#inTurn()) {
      try {
        const { body, status } = await this.#send(at, { method: "POST", ...call });
        const submissions = read(parseAnswer(body), status);
        this.#preferred = at;
        if (!submissions.every(isPutOff)) return submissions.map((submission, index) => truest(submission, unknown?.[index]));
        unknown ??= submissions;
      } catch (error) {
        if (error instanceof QuorumgateError && unknown === undefined) throw error;
        if (error instanceof Unanswered && error.wasTaken) unknown ??= signed.map(unreachable);
      }
    }
    return unknown ?? signed.map(unreachable);
  }

  async #read(path: string): Promise<Answer> {
    return this.#call({
      method: "GET",
      path,
      timeoutMs: LIMITS.submitTimeoutMs,
      authorization: await this.#accessToken(),
    });
  }

  async #accessToken(): Promise<string> {
    const { access, cluster } = this.#options;
    if (access === undefined) throw new QuorumgateError("REQUEST_UNAUTHENTICATED", "reads need an identity: pass `access`");
    const nowUs = Date.now() * 1_000;
    if (this.#token === undefined || this.#token.untilUs < nowUs) {
      const signed = await signCommand(access.signer, {
        cluster,
        kind: "access",
        issuer: access.id as never,
        issuedAtUs: nowUs,
        expiresAtUs: nowUs + LIMITS.commandLifetimeMaxUs,
        body: { audience: "*" },
      });
      const token = toBase64Url(encodeUtf8(JSON.stringify(signedCommandToJson(signed))));
      this.#token = { text: `Signed ${token}`, untilUs: nowUs + TOKEN_USE_US };
    }
    return this.#token.text;
  }

  /** Asks the preferred node, and the others in turn when it cannot be reached or does not answer. */
  async #call(call: Call): Promise<Answer> {
    let last: unknown;
    for (const at of this.#inTurn()) {
      try {
        const answer = await this.#send(at, call);
        this.#preferred = at;
        return answer;
      } catch (error) {
        last = error;
      }
    }
    throw new QuorumgateError("QUORUM_UNAVAILABLE", "no node of the cluster answered", { cause: last });
  }

  /** Places in the list of URLs, the preferred one first. */
  #inTurn(): readonly number[] {
    const { urls } = this.#options;
    return urls.map((_, index) => (this.#preferred + index) % urls.length);
  }

  /** Asks the node at a place of the list. @throws {Unanswered} */
  #send(at: number, call: Call): Promise<Answer> {
    const url = new URL(call.path, this.#options.urls[at]);
    const isTls = url.protocol === "https:";
    const headers = {
      accept: "application/json, application/problem+json, text/plain, application/octet-stream",
      ...(call.body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(call.body) }),
      // RFC 7240: how long the node may wait for a quorum before it answers that there is none.
      ...(call.method === "POST" ? { prefer: `wait=${Math.ceil(call.timeoutMs / 1_000)}` } : {}),
      ...(call.authorization === undefined ? {} : { authorization: call.authorization }),
    };
    // For the whole answer: a node that sends a byte now and then hangs too.
    const options = { method: call.method, headers, signal: AbortSignal.timeout(call.timeoutMs + PATIENCE_MS) };
    return new Promise((resolve, refuse) => {
      let wasTaken = false;
      const reject = (cause: Error): void => refuse(new Unanswered(cause, wasTaken));
      const onResponse = (response: import("node:http").IncomingMessage): void => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on("data", (chunk: Buffer) => {
          length += chunk.length;
          if (length > ANSWER_BYTES_MAX) response.destroy(new Error("the answer is too long"));
          else chunks.push(chunk);
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
        response.on("error", reject);
      };
      const request = isTls
        ? httpsRequest(url, { ...options, agent: this.#agents.https }, onResponse)
        : httpRequest(url, { ...options, agent: this.#agents.http }, onResponse);
      request.on("socket", (socket) => {
        const taken = (): void => {
          wasTaken = true;
        };
        // One that is kept alive is there already.
        if (socket.connecting) socket.once(isTls ? "secureConnect" : "connect", taken);
        else taken();
      });
      request.on("error", reject);
      request.end(call.body);
    });
  }
}

/** What is given, as a query. */
function queryOf(parameters: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? "" : `?${given.join("&")}`;
}

/** What the node's answer says of each of the commands that it was sent. @throws {QuorumgateError} what it refused */
type AnswerReader<T> = (body: CanonicalObject, status: number) => readonly T[];

/** A node gave no answer that reads. */
class Unanswered extends Error {
  override readonly name = "Unanswered";
  /** False when the request cannot have reached it. */
  readonly wasTaken: boolean;

  constructor(cause: unknown, wasTaken: boolean) {
    super("the node gave no answer", { cause });
    this.wasTaken = wasTaken;
  }
}

/** An answer as JSON. What is none comes from somebody before the node, which may have the request all the same. */
function parseAnswer(body: Buffer): CanonicalObject {
  try {
    return JSON.parse(body.toString()) as CanonicalObject;
  } catch (cause) {
    throw new Unanswered(cause, true);
  }
}

/** What a later node refuses of a batch is no answer where an earlier one may have taken it. */
function truest<T extends BatchedSubmission>(later: T, earlier: T | Submission | undefined): T | Submission {
  return later.kind === "refused" && earlier !== undefined ? earlier : later;
}

/** Whether the node takes no commands now, and another one may. */
function isPutOff(submission: BatchedSubmission): boolean {
  return submission.kind === "unavailable" && (submission.code === "QUORUM_STOPPED" || submission.code === "QUORUM_BUSY");
}

interface Call {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
  readonly timeoutMs: number;
  readonly authorization?: string;
}

function unreachable(signed: SignedCommand): Submission {
  return { kind: "unavailable", code: "QUORUM_UNAVAILABLE", decisionId: signed.hash, waitingFor: [] };
}

function pathOf(signed: SignedCommand): string {
  const { kind, body } = signed.command;
  if (kind === "service.register") return "/v1/services";
  if (kind === "service.revoke") return `/v1/services/${textOf(body["service"])}/revoke`;
  if (kind === "grant.create") return "/v1/grants";
  if (kind === "grant.revoke") return `/v1/grants/${textOf(body["grant"])}/revoke`;
  if (isGovernanceKind(kind)) return "/v1/members/changes";
  return "/v1/authorize";
}

/** A field that should be a text; anything else is none. */
function textOf(value: CanonicalObject[string] | undefined): string {
  return typeof value === "string" ? value : "";
}

function submissionOf(decisionId: Hash, body: CanonicalObject, status: number): Submission {
  if (body["outcome"] !== undefined) return { kind: "ordered", outcome: outcomeOf(body) };
  const code = textOf(body["code"]) || "INTERNAL_ERROR";
  if (body["decisionId"] === undefined || Number(body["status"] ?? status) !== 503) throw problemError(body as JsonValue, status);
  return { kind: "unavailable", code, decisionId, waitingFor: (body["waitingFor"] as readonly string[] | undefined) ?? [] };
}

/** The answer to one of several. Where there is none, the node may have taken that one all the same. */
function batchedSubmissionOf(signed: SignedCommand, body: CanonicalObject | undefined): BatchedSubmission {
  if (body === undefined) return unreachable(signed);
  const [code, status] = [textOf(body["code"]), Number(body["status"])];
  if (body["outcome"] !== undefined || status === 503) return submissionOf(signed.hash, body, status);
  return {
    kind: "refused",
    code: isErrorCode(code) ? code : "INTERNAL_ERROR",
    message: textOf(body["detail"]),
    decisionId: signed.hash,
  };
}

function outcomeOf(body: CanonicalObject): CommandOutcome {
  const { decisionId, outcome, reason, height, timeMs, explanation, seq, receipt } = body as Record<string, never>;
  return {
    decisionId: parseHash(decisionId ?? ""),
    outcome: outcome ?? "refused",
    code: reason ?? "INTERNAL_ERROR",
    height: height ?? 0,
    timeMs: timeMs ?? 0,
    answer: explanation ?? {},
    ...(seq === undefined ? {} : { seq }),
    ...(receipt === undefined ? {} : { receipt }),
  };
}

function parse(answer: Answer): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(answer.body.toString()) as JsonValue;
  } catch (cause) {
    throw new QuorumgateError("INTERNAL_ERROR", `the node answered ${answer.status} without JSON`, { cause });
  }
  if (answer.status >= 400) throw problemError(value, answer.status);
  return value;
}

function text(answer: Answer): string {
  if (answer.status >= 400) throw problemError(JSON.parse(answer.body.toString()) as JsonValue, answer.status);
  return answer.body.toString();
}

function problemError(problem: JsonValue, status: number): QuorumgateError {
  const { code, detail } = (problem ?? {}) as { code?: string; detail?: string };
  const known = code !== undefined && isErrorCode(code) ? code : "INTERNAL_ERROR";
  return new QuorumgateError(known, detail ?? `the node answered ${status}`);
}
