import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { type Hash, parseHash, parseSubjectId, type SignedCommand } from "#base";
import { loadSodium, signCommand } from "#crypto";
import { HttpBackend } from "#gateway";
import { createServiceKey, serviceSignerOf } from "#identity";
import { expectCodeLater } from "../refusals.ts";

const CLUSTER: Hash = parseHash("a".repeat(64));

/** How a node answers a submission. */
type Manner = (response: ServerResponse, signed: SignedCommand) => void;

const hangsUp: Manner = (response) => void response.destroy();
const sends =
  (status: number, bodyOf: (signed: SignedCommand) => object): Manner =>
  (response, signed) =>
    void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(bodyOf(signed)));
const expired = sends(400, () => ({ status: 400, code: "COMMAND_EXPIRED", detail: "the command has expired" }));
const expiredInBatch = sends(200, ({ hash }) => ({ results: [{ status: 400, code: "COMMAND_EXPIRED", decisionId: hash }] }));
const puttingOff = (code: string): Manner => sends(503, ({ hash }) => ({ status: 503, code, decisionId: hash, waitingFor: ["node-4"] }));
const orders = sends(200, ({ hash }) => ({ decisionId: hash, outcome: "allowed", reason: "OK", height: 7, timeMs: 1, explanation: {} }));
const proxyError: Manner = (response) => void response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad Gateway</h1>");

describe("a client of several nodes, of which the last one says that the command has expired", () => {
  let signed: SignedCommand;
  let servers: Server[] = [];

  before(async () => {
    const sodium = await loadSodium();
    const issuedAtUs = Date.now() * 1_000;
    signed = await signCommand(serviceSignerOf(sodium, createServiceKey(sodium, "service-1")), {
      cluster: CLUSTER,
      kind: "service.revoke",
      issuer: parseSubjectId("service-1"),
      issuedAtUs,
      expiresAtUs: issuedAtUs + 60_000_000,
      body: { service: "service-1", reason: "test" },
    });
  });
  afterEach(() => {
    for (const server of servers) server.close();
    servers = [];
  });

  async function listening(manner: Manner): Promise<string> {
    const server = createServer((request: IncomingMessage, response) => {
      request.on("end", () => manner(response, signed)).resume();
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** What a client of nodes with these manners says; none is a node that is down. */
  async function asked<T>(manners: readonly (Manner | undefined)[], ask: (backend: HttpBackend) => Promise<T>): Promise<T> {
    const urls = await Promise.all(manners.map(async (manner) => (manner === undefined ? "http://127.0.0.1:1" : listening(manner))));
    const backend = new HttpBackend({ urls, cluster: CLUSTER });
    try {
      return await ask(backend);
    } finally {
      await backend.close();
    }
  }
  const submit = (...manners: readonly (Manner | undefined)[]) => asked(manners, (backend) => backend.submit(signed, 1_000));

  it("does not know the outcome where an earlier one took it and fell silent, or somebody before that one answered", async () => {
    const unknown = { kind: "unavailable", code: "QUORUM_UNAVAILABLE", decisionId: signed.hash };
    expect(await submit(hangsUp, expired)).to.include(unknown);
    expect(await submit(proxyError, expired)).to.include(unknown);
    expect(await submit(proxyError)).to.include(unknown);
    const submitAll = (...manners: readonly Manner[]) => asked(manners, (backend) => backend.submitAll([signed], 1_000));
    expect(await submitAll(hangsUp, expired)).to.deep.equal([{ ...unknown, waitingFor: [] }]);
    expect(await submitAll(hangsUp, expiredInBatch)).to.deep.equal([{ ...unknown, waitingFor: [] }]);
    expect((await submitAll(expiredInBatch))[0]).to.include({ kind: "refused", code: "COMMAND_EXPIRED", decisionId: signed.hash });
  });

  it("passes on what an earlier one that stops or is busy said, and asks the others all the same", async () => {
    expect(await submit(puttingOff("QUORUM_STOPPED"), expired)).to.deep.include({ code: "QUORUM_STOPPED", waitingFor: ["node-4"] });
    expect(await submit(puttingOff("QUORUM_BUSY"), orders)).to.include({ kind: "ordered" });
    expect(await submit(puttingOff("QUORUM_BUSY"), puttingOff("QUORUM_STOPPED"))).to.include({ code: "QUORUM_BUSY" });
  });

  it("finds the one that has the record, whoever said before that it has expired", async () => {
    expect(await submit(hangsUp, expired, orders)).to.include({ kind: "ordered" });
  });

  it("waits for nobody else where a node waited for a quorum in vain", async () => {
    expect(await submit(puttingOff("QUORUM_UNAVAILABLE"), orders)).to.include({ kind: "unavailable", code: "QUORUM_UNAVAILABLE" });
  });

  it("says so where nobody before can have taken it", async () => {
    await expectCodeLater("COMMAND_EXPIRED", () => submit(undefined, expired));
    await expectCodeLater("COMMAND_EXPIRED", () => submit(expired, orders));
  });
});
