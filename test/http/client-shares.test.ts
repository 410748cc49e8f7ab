import { connect } from "node:net";
import { expect } from "chai";
import { ClientShares, Ration, SHARE_LIMITS } from "#http";
import { type Answer, QUESTION, ServedNode } from "./served-node.ts";

const [HOSTILE, HONEST] = ["192.0.2.66", "192.0.2.1"];
const LIMITS = { connections: 3, underway: 4, waiting: 100, refusals: 4, refusalsPerSecond: 2 };

/** Shares under a clock of the test's; what is due runs when time passes. */
class Clock {
  nowMs = 0;
  #due: { readonly atMs: number; readonly run: () => void }[] = [];
  readonly timers = {
    after: (delayMs: number, run: () => void) => {
      const item = { atMs: this.nowMs + delayMs, run };
      this.#due.push(item);
      const cancel = (): void => {
        this.#due = this.#due.filter((other) => other !== item);
      };
      return { cancel };
    },
  };

  pass(ms: number): void {
    this.nowMs += ms;
    const due = this.#due.filter(({ atMs }) => atMs <= this.nowMs);
    this.#due = this.#due.filter((item) => !due.includes(item));
    for (const { run } of due) run();
  }
}

describe("the share of one address", () => {
  let clock: Clock;
  let shares: ClientShares;
  let begun: string[];
  const ask = (address: string, refused: boolean): boolean =>
    shares.begin(address, () => {
      begun.push(address);
      shares.end(address, { refusals: refused ? 1 : 0 });
    });
  const count = (address: string): number => begun.filter((item) => item === address).length;

  beforeEach(() => {
    clock = new Clock();
    shares = new ClientShares({
      limits: LIMITS,
      ration: new Ration({ atOnce: LIMITS.refusals, perSecond: LIMITS.refusalsPerSecond, nowMs: () => clock.nowMs }),
      timers: clock.timers,
    });
    begun = [];
  });

  it("lets who is refused all the time wait, and nobody else", () => {
    for (let i = 0; i < 20; i++) ask(HOSTILE, true);
    expect(count(HOSTILE)).to.equal(LIMITS.refusals);
    for (let i = 0; i < 20; i++) ask(HONEST, false);
    expect(count(HONEST)).to.equal(20);
  });

  it("gives the ration back with time, and no faster", () => {
    for (let i = 0; i < 20; i++) ask(HOSTILE, true);
    for (let tenth = 0; tenth < 30; tenth++) clock.pass(100);
    expect(count(HOSTILE)).to.be.within(LIMITS.refusals + 5, LIMITS.refusals + 6);
    for (let tenth = 0; tenth < 200; tenth++) clock.pass(100);
    expect(count(HOSTILE), "all have had their turn").to.equal(20);
  });

  it("bounds what is under way, since all of it may be refused", () => {
    const ends: (() => void)[] = [];
    for (let i = 0; i < 10; i++)
      shares.begin(HONEST, () => {
        begun.push(HONEST);
        ends.push(() => shares.end(HONEST, { refusals: 0 }));
      });
    expect(count(HONEST)).to.equal(LIMITS.underway);
    ends[0]?.();
    expect(count(HONEST)).to.equal(LIMITS.underway + 1);
  });

  it("drops what comes without waiting for answers", () => {
    const answers = Array.from({ length: LIMITS.waiting + LIMITS.underway + 1 }, () => shares.begin(HOSTILE, () => {}));
    expect(answers.filter(Boolean)).to.have.length(LIMITS.waiting + LIMITS.underway);
    expect(shares.begin(HONEST, () => {})).to.equal(true);
  });

  it("bounds connections", () => {
    const connections = Array.from({ length: LIMITS.connections + 1 }, () => shares.connect(HOSTILE));
    expect(connections).to.deep.equal([true, true, true, false]);
    expect(shares.connect(HONEST)).to.equal(true);
    shares.disconnect(HOSTILE);
    expect(shares.connect(HOSTILE)).to.equal(true);
  });
});

describe("a client that holds what it can", () => {
  const node = new ServedNode({ requestTimeoutMs: 500 });
  before(() => node.begin());
  after(() => node.end());

  it("waits when it is refused all the time, while another address is answered", async () => {
    const hostile = new ServedNode({ refusalsPerSecond: 1 });
    await hostile.begin();
    try {
      const refusals = Array.from({ length: 40 }, () => hostile.get("/v1/nothing"));
      const answered = await Promise.race([
        Promise.all(refusals).then(() => "all"),
        new Promise((resolve) => setTimeout(() => resolve("some"), 500)),
      ]);
      expect(answered).to.equal("some");
      expect((await hostile.send("GET", "/health/live", { from: "127.0.0.66" })).status).to.equal(200);
      void Promise.allSettled(refusals);
    } finally {
      await hostile.end();
    }
  });

  it("is told to wait when its commands are denied all the time, from whatever address, and no other issuer is", async () => {
    const hostile = new ServedNode({ refusalsPerSecond: 1 });
    await hostile.begin();
    try {
      const headers = { "content-type": "application/json" };
      const ask = async (from: string, domain: string): Promise<Answer> => {
        const body = { capability: { ...QUESTION.capability, domain } };
        return hostile.send("POST", "/v1/authorize", { from, headers, body: JSON.stringify(await hostile.question({ body })) });
      };
      const answers = [];
      for (let last = 66; last < 90; last++) answers.push(await ask(`127.0.0.${last}`, "denied-domain"));
      const told = answers.map(({ json }) => json["outcome"] ?? json["code"]);
      expect(told.slice(0, 10)).to.deep.equal(Array.from({ length: 10 }, () => "denied"));
      expect(told.slice(10)).to.include("REQUEST_RATE_LIMITED");
      const revoke = await hostile.command({
        kind: "grant.revoke",
        issuer: "operator-1",
        body: { grant: "00".repeat(32), reason: "none" },
      });
      const other = await hostile.send("POST", `/v1/grants/${"00".repeat(32)}/revoke`, {
        from: "127.0.0.99",
        headers,
        body: JSON.stringify(revoke),
      });
      expect(other.json["code"]).not.to.equal("REQUEST_RATE_LIMITED");
    } finally {
      await hostile.end();
    }
  });

  const head = "POST /v1/authorize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";

  it("is answered 408 and hung up on when its headers or its body come too slowly", async () => {
    const slowly = await Promise.all(
      ["POST /v1/authorize HTTP/1.1\r\nHost: 127", `${head}Content-Length: 100\r\n\r\n{`].map((bytes) => node.raw(bytes, 4_000)),
    );
    for (const answer of slowly)
      expect(answer)
        .to.match(/^HTTP\/1\.1 408 /)
        .and.to.include("REQUEST_TIMEOUT");
  });

  it("gets no more connections than its share, and another address is served", async () => {
    const sockets = Array.from({ length: SHARE_LIMITS.connections + 8 }, () =>
      connect({ host: "127.0.0.1", port: node.port, localAddress: "127.0.0.66" }),
    );
    try {
      const refused = await Promise.all(
        sockets
          .slice(-8)
          .map((socket) => new Promise((resolve) => socket.once("close", () => resolve(true)).once("error", () => resolve(true)))),
      );
      expect(refused).to.have.length(8);
      const good = await node.post("/v1/authorize", await node.question());
      expect(good.json["outcome"]).to.equal("allowed");
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
});
