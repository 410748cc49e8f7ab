import { expect } from "chai";
import { expectProblem, ServedNode } from "./served-node.ts";

describe("a request that is not as it should be", () => {
  const node = new ServedNode();
  before(() => node.begin());
  after(() => node.end());

  afterEach(async () => {
    const good = await node.post("/v1/authorize", await node.question());
    expect(good.json["outcome"], "a good question after the hostile requests").to.equal("allowed");
  });

  it("is refused for another host, and for another, malformed or absent origin", async () => {
    for (const host of ["evil.example", "localhost.evil.example", "node-1:80", "127.0.0.1.evil.example:80"]) {
      expectProblem(await node.send("GET", "/health/live", { headers: { host } }), "REQUEST_HOST", host);
    }
    for (const origin of [
      "http://evil.example",
      "null",
      "not a url",
      "http://",
      "file://",
      "http://localhost@evil.example",
      "//127.0.0.1",
    ]) {
      expectProblem(await node.send("GET", "/health/live", { headers: { host: "127.0.0.1", origin } }), "REQUEST_HOST", origin);
    }
    const own = await node.send("GET", "/health/live", { headers: { host: "127.0.0.1", origin: "http://127.0.0.1:9999" } });
    expect(own.status).to.equal(200);
  });

  it("is refused at an address that there is not, and by a method that the address does not have", async () => {
    for (const path of [
      "/",
      "/v1",
      "/v2/services",
      "/v1/services/x/y/z",
      "/.env",
      "/v1/authorize/../../etc/passwd",
      "//evil.example/v1/status",
      `/${"a".repeat(9_000)}`,
    ]) {
      expectProblem(await node.get(path), /^(REQUEST|FORMAT)_/, path.slice(0, 60));
    }
    for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
      expectProblem(await node.send(method, "/v1/authorize"), /^(REQUEST|FORMAT)_/, method);
  });

  it("reads nothing but the log's own files, whatever path it names", async () => {
    const paths = [
      "../genesis.json",
      "..%2f..%2fgenesis.json",
      "%2e%2e/%2e%2e/etc/passwd",
      "tile/../../../etc/passwd",
      "tile/0/000\u0000",
      "tile/0/x001/../../..",
      "....//....//etc/passwd",
      "%c0%ae%c0%ae/etc/passwd",
      "tile/-1/000",
      "tile/0/1e9",
      "tile/entries/999.p/0",
    ];
    for (const path of paths) {
      const answer = await node.get(encodeURI(`/v1/audit/2026h2/${path}`).replaceAll("%25", "%"));
      expect(answer.status, path).to.be.within(400, 499);
      expect(answer.text, path).to.include("urn:quorumgate:error:");
      expect(answer.text, path).not.to.match(/trustDomain|root:/);
    }
  });

  it("is refused where it asks for a consistency that there is not", async () => {
    for (const path of ["/v1/services", "/v1/services/service-1", "/v1/members", `/v1/decisions/${"a".repeat(64)}`]) {
      expectProblem(await node.get(`${path}?consistency=eventual`), "FORMAT_SHAPE_INVALID", path);
    }
    expect((await node.get("/v1/services/service-1?consistency=linearizable")).json).to.include({ id: "service-1" });
  });

  it("reads nothing without a token that is whole, fresh, of this cluster and of somebody who may read", async () => {
    const [good, old, future, long, service] = await Promise.all([
      node.token(),
      node.token("operator-1", { issuedAtMs: Date.now() - 200_000 }),
      node.token("operator-1", { issuedAtMs: Date.now() + 600_000 }),
      node.token("operator-1", { lifetimeMs: 600_000 }),
      node.token("service-1"),
    ]);
    const forged = good.slice(0, -6) + (good.endsWith("AAAAAA") ? "BBBBBB" : "AAAAAA");
    const command = await node.question();
    const asToken = `Signed ${Buffer.from(JSON.stringify(command)).toString("base64url")}`;
    const tokens = {
      absent: undefined,
      empty: "",
      scheme: good.replace("Signed", "Bearer"),
      forged,
      old,
      future,
      long,
      asToken,
      junk: "Signed !!!!",
      huge: `Signed ${"A".repeat(8_000)}`,
    };
    for (const [name, authorization] of Object.entries(tokens)) {
      const headers = authorization === undefined ? {} : { authorization };
      for (const path of ["/v1/status", "/v1/audit/entries?from=0", "/metrics", "/v1/services"]) {
        expectProblem(await node.send("GET", path, { headers }), /^REQUEST_(UNAUTHENTICATED|FORBIDDEN)$/, `${name} at ${path}`);
      }
    }
    for (const path of ["/v1/audit/entries?from=0", "/metrics", "/v1/services", "/v1/services/service-2"]) {
      expectProblem(await node.send("GET", path, { headers: { authorization: service } }), "REQUEST_FORBIDDEN", path);
    }
    expect((await node.send("GET", "/v1/status", { headers: { authorization: good } })).status).to.equal(200);
  });

  it("is refused with numbers that are none, are negative or are past the end", async () => {
    for (const query of ["from=-1", "from=1e3", "from=0x10", "from=99999999999999999999", "from=5&to=5", "from=a", "from=0&to="]) {
      expectProblem(await node.get(`/v1/audit/entries?${query}`), /^(FORMAT|AUDIT)_/, query);
    }
    for (const query of ["seq=-1", "seq=", "seq=1.5", "seq=999999999", "other=1"]) {
      expectProblem(await node.get(`/v1/audit/proof?${query}`), /^(FORMAT|AUDIT)_/, query);
    }
    for (const id of ["x", "0".repeat(63), "G".repeat(64), "0".repeat(64), "%00"]) {
      expectProblem(await node.get(`/v1/decisions/${id}`), /^(FORMAT|COMMAND)_/, id);
    }
  });

  it("smuggles nothing past another: two lengths, length and chunks, odd spaces and line ends are refused", async () => {
    const hidden = "GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    const requests = [
      `POST /v1/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n${hidden}`,
      `POST /v1/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
      `POST /v1/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`,
      `POST /v1/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${hidden}`,
      `POST /v1/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length : 4\r\n\r\nabcd${hidden}`,
      `POST /v1/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: +4\r\n\r\nabcd${hidden}`,
      `POST /v1/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n${hidden}`,
      `GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n X-Folded: 1\r\n\r\n`,
      `GET /health/live HTTP/1.1\nHost: 127.0.0.1\nX: a\rb\n\n`,
      `GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nX\u0000Y: 1\r\n\r\n`,
      "GET /health/live HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
      "\u0016\u0003\u0001\u0002\u0000\u0001\u0000",
    ];
    for (const request of requests) {
      const answer = await node.raw(request);
      expect(answer, JSON.stringify(request.slice(0, 90))).to.match(/^HTTP\/1\.1 4\d\d /);
      // Whatever else is said on the connection, what was hidden in it never was a request.
      for (const status of answer.match(/HTTP\/1\.1 \d\d\d/g) ?? []) expect(status, request.slice(0, 90)).to.match(/ 4(?!04)\d\d$/);
      expect(answer).to.include("urn:quorumgate:error:");
      expect(answer).not.to.include("smuggled");
    }
  });

  it("is cut off when its header is a flood", async () => {
    const many = Array.from({ length: 5_000 }, (_, index) => `X-${index}: ${"v".repeat(20)}\r\n`).join("");
    const answer = await node.raw(`GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n${many}\r\n`);
    expect(answer).to.match(/^HTTP\/1\.1 431 /);
    expect(answer).to.include("REQUEST_HEADERS_TOO_LARGE");
  });
});

describe("an address that asks too much", () => {
  const node = new ServedNode({ requestsPerSecond: 20 });
  before(() => node.begin());
  after(() => node.end());

  it("is told to slow down, and when it may ask again", async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => node.send("GET", "/health/live")));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).to.be.within(20, 59);
    for (const answer of refused) {
      expectProblem(answer, "REQUEST_RATE_LIMITED", "the flood");
      expect(Number(answer.headers["retry-after"])).to.be.within(1, 2);
    }
    expect(answers[0]?.headers["content-security-policy"]).to.equal("default-src 'none';frame-ancestors 'none'");
    expect(answers[0]?.headers).to.include({ "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
  });
});
