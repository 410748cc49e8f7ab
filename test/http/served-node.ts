import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { encodeCanonical, type Hash, type JsonValue, parseSubjectId, signedCommandToJson, toBase64Url } from "#base";
import { loadSodium, type Signer, signCommand } from "#crypto";
import { type Daemon, loggerOf, readConfig, startDaemon } from "#daemon";
import { type AuthorizationQuestion, SecurityGateway } from "#gateway";
import { serviceSignerOf } from "#identity";
import { developmentGenesis, developmentNode, writeNodeFolder } from "../development-cluster.ts";
import { askOf, enroll } from "../enroll.ts";

/** What a service of the tests may do. */
export const QUESTION: AuthorizationQuestion = askOf("service-1", { riskLevel: "critical", resources: ["market-data"] });

/** An answer, as it came over the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly json: Record<string, JsonValue>;
}

/** One node with its daemon and HTTP API on loopback, a registered service and its grant: a cluster of one decides as every other does. */
export class ServedNode {
  readonly folder: string = mkdtempSync(join(tmpdir(), "quorumgate-http-"));
  readonly signers: Map<string, Signer> = new Map();
  #cluster: Hash | undefined;
  #daemon: Daemon | undefined;
  readonly #settings: object;

  /** @param settings of the configuration file, beside those that every node has; the tests' own refusals are not rationed unless one says so */
  constructor(settings: object = {}) {
    this.#settings = settings;
  }

  get cluster(): Hash {
    if (this.#cluster === undefined) throw new Error("the node has not begun");
    return this.#cluster;
  }

  get daemon(): Daemon {
    if (this.#daemon === undefined) throw new Error("the node has not begun");
    return this.#daemon;
  }

  get port(): number {
    return Number(new URL(this.daemon.httpUrl).port);
  }

  async begin(): Promise<void> {
    const sodium = await loadSodium();
    const identity = developmentNode(sodium, "node-1");
    const genesis = developmentGenesis(sodium, [identity]);
    const { operator, auditor, issuer } = genesis;
    this.#cluster = genesis.cluster;
    for (const key of [operator, auditor, issuer]) this.signers.set(key.id, serviceSignerOf(sodium, key));
    const file = await writeNodeFolder(this.folder, identity, genesis, { refusalsPerSecond: 100_000, ...this.#settings });
    const read = readConfig(file);
    this.#daemon = await startDaemon(read, loggerOf(read));
    await this.#enroll();
  }

  async end(): Promise<void> {
    await this.#daemon?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  signer(id: string): Signer {
    const signer = this.signers.get(id);
    if (signer === undefined) throw new Error(`no signer ${id}`);
    return signer;
  }

  /** A client as applications have it. */
  connect(): Promise<SecurityGateway> {
    const access = { id: "operator-1", signer: this.signer("operator-1") };
    return SecurityGateway.connect({ urls: [this.daemon.httpUrl], cluster: this.cluster, signers: this.signers, access });
  }

  /** A signed command as it goes into a body; what is given takes the place of what is usual. */
  async command(about: {
    kind: string;
    issuer: string;
    body: object;
    signer?: Signer;
    issuedAtMs?: number;
    lifetimeMs?: number;
    id?: string;
  }): Promise<JsonValue> {
    const { kind, issuer, body, signer = this.signer(issuer), issuedAtMs = Date.now(), lifetimeMs = 60_000 } = about;
    const fields = { cluster: this.cluster, kind, issuer: parseSubjectId(issuer), body: body as never };
    const times = { issuedAtUs: issuedAtMs * 1_000, expiresAtUs: (issuedAtMs + lifetimeMs) * 1_000 };
    const signed = await signCommand(signer, { ...fields, ...times, ...(about.id === undefined ? {} : { id: about.id }) } as never);
    return signedCommandToJson(signed);
  }

  /** A question of the registered service, signed. */
  question(about: Partial<Parameters<ServedNode["command"]>[0]> = {}): Promise<JsonValue> {
    const { serviceId: _id, ...body } = QUESTION;
    return this.command({ kind: "authorize", issuer: "service-1", body, ...about });
  }

  /** The value of an Authorization header. */
  async token(issuer = "operator-1", about: object = {}): Promise<string> {
    const signed = await this.command({ kind: "access", issuer, body: {}, ...about });
    return `Signed ${toBase64Url(encodeCanonical(signed as never))}`;
  }

  /** One request on a connection of its own; `from` is an address of loopback, so that the node sees another client. */
  send(
    method: string,
    path: string,
    about: { body?: Uint8Array | string; headers?: Record<string, string>; from?: string } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = {
        host: "127.0.0.1",
        port: this.port,
        method,
        path,
        headers: about.headers ?? {},
        agent: false,
        localAddress: about.from,
      };
      const request = httpRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("end", () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: text.startsWith("{") ? JSON.parse(text) : {},
          });
        });
      });
      request.once("error", reject);
      request.end(about.body);
    });
  }

  /** A body as JSON. */
  post(path: string, body: JsonValue | string, headers: Record<string, string> = {}): Promise<Answer> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return this.send("POST", path, { body: text, headers: { "content-type": "application/json", ...headers } });
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.send("GET", path, { headers: { authorization: await this.token(), ...headers } });
  }

  /** Bytes as they are; gives what came back until the end, or until it is quiet for so long. */
  raw(bytes: string | Uint8Array, quietMs = 300): Promise<string> {
    return new Promise((resolve) => {
      let received = "";
      const socket = connect(this.port, "127.0.0.1", () => socket.write(bytes));
      const finish = (): void => {
        socket.destroy();
        resolve(received);
      };
      socket.setTimeout(quietMs, finish);
      socket.on("data", (chunk) => {
        received += chunk.toString("latin1");
      });
      socket.once("end", finish);
      socket.once("error", finish);
    });
  }

  /** Entries in the log, without those that seal blocks. */
  async recorded(): Promise<readonly Record<string, JsonValue>[]> {
    const { json } = await this.get("/v1/audit/entries?from=0&to=500");
    const entries = (json["entries"] as string[]).map((entry) => JSON.parse(Buffer.from(entry, "base64").toString()));
    return entries.filter(({ kind }) => kind !== "block.sealed" && kind !== "log.start");
  }

  async #enroll(): Promise<void> {
    const gateway = await this.connect();
    const { cluster, signers } = this;
    const issuer = { id: "issuer-1", signer: this.signer("issuer-1") };
    await enroll(gateway, { id: "service-1", cluster, issuer, signers, resources: QUESTION.capability.resources });
    await gateway.stop();
  }
}

/** A refusal says what happened by a stable code, and what to do by a hint. */
export function expectProblem(answer: Answer, code: string | RegExp, about: string): void {
  expect(answer.status, about).to.be.within(400, 499);
  expect(answer.headers["content-type"], about).to.match(/^application\/problem\+json/);
  expect(answer.json["code"], about).to.match(code instanceof RegExp ? code : new RegExp(`^${code}$`));
  expect(answer.json["hint"], about).to.be.a("string").with.length.greaterThan(10);
  expect(answer.json["status"], about).to.equal(answer.status);
}
