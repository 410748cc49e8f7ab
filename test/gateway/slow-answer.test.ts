import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { type Hash, parseHash, parseSubjectId } from "#base";
import { loadSodium, signCommand } from "#crypto";
import { HttpBackend } from "#gateway";
import { createServiceKey, serviceSignerOf } from "#identity";

const CLUSTER: Hash = parseHash("a".repeat(64));

describe("a client of a node that answers a byte at a time", () => {
  let server: Server;
  const answers: ServerResponse[] = [];
  let dripping: NodeJS.Timeout;

  before(async () => {
    server = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      answers.push(response);
    });
    dripping = setInterval(() => {
      for (const answer of answers) answer.write(" ");
    }, 100);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  after(() => {
    clearInterval(dripping);
    server.closeAllConnections();
    server.close();
  });

  it("waits no longer than for one that does not answer: the outcome is unknown", async () => {
    const signer = serviceSignerOf(await loadSodium(), createServiceKey(await loadSodium(), "service-1"));
    const issuedAtUs = Date.now() * 1_000;
    const signed = await signCommand(signer, {
      cluster: CLUSTER,
      kind: "service.revoke",
      issuer: parseSubjectId("service-1"),
      issuedAtUs,
      expiresAtUs: issuedAtUs + 60_000_000,
      body: { service: "service-1", reason: "test" },
    });
    const { port } = server.address() as AddressInfo;
    const backend = new HttpBackend({ urls: [`http://127.0.0.1:${port}`], cluster: CLUSTER });
    expect(await backend.submit(signed, 200)).to.include({ kind: "unavailable", decisionId: signed.hash });
    await backend.close();
  }).timeout(10_000);
});
