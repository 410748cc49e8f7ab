import { expect } from "chai";
import type { JsonValue } from "#base";
import { createSigner, loadSodium } from "#crypto";
import { expectProblem, QUESTION, ServedNode } from "./served-node.ts";

describe("a command that is not as it should be", () => {
  const node = new ServedNode();
  before(() => node.begin());
  after(() => node.end());

  /** Runs attempts that must leave no entry, and a good question that the node must still answer. */
  async function leavesNothing(attempts: () => Promise<void>): Promise<void> {
    const before = (await node.recorded()).length;
    await attempts();
    expect(await node.recorded(), "entries in the log").to.have.length(before);
    const good = await node.post("/v1/authorize", await node.question());
    expect(good.json["outcome"]).to.equal("allowed");
  }

  it("is refused with a wrong signature, and leaves nothing", async () => {
    await leavesNothing(async () => {
      const { command, signature } = (await node.question()) as { command: string; signature: { kid: string; val: string } };
      for (const at of [0, 31, 32, 63]) {
        const bytes = Buffer.from(signature.val, "base64url");
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        const forged = { command, signature: { ...signature, val: bytes.toString("base64url") } };
        expectProblem(await node.post("/v1/authorize", forged), "COMMAND_SIGNATURE_INVALID", `byte ${at}`);
      }
      const zeros = { command, signature: { ...signature, val: Buffer.alloc(64).toString("base64url") } };
      expectProblem(await node.post("/v1/authorize", zeros), "COMMAND_SIGNATURE_INVALID", "zeros");
    });
  });

  it("is refused when it has expired, is from the future, or lives too long", async () => {
    await leavesNothing(async () => {
      const now = Date.now();
      for (const about of [
        { issuedAtMs: now - 120_000 },
        { issuedAtMs: now + 3_600_000 },
        { lifetimeMs: 121_000 },
        { lifetimeMs: 0 },
        { lifetimeMs: -5 },
      ]) {
        expectProblem(await node.post("/v1/authorize", await node.question(about)), /^(COMMAND|FORMAT)_/, JSON.stringify(about));
      }
    });
  });

  it("is refused, and only counted, when nobody registered its issuer", async () => {
    await leavesNothing(async () => {
      const sodium = await loadSodium();
      const signer = createSigner(sodium, sodium.generateKeyPair());
      const { serviceId: _id, ...body } = QUESTION;
      const answer = await node.post("/v1/authorize", await node.command({ kind: "authorize", issuer: "stranger-1", body, signer }));
      expectProblem(answer, "IDENTITY_UNKNOWN", "a stranger");
      const impostor = await node.post("/v1/authorize", await node.question({ signer }));
      expectProblem(impostor, /^IDENTITY_/, "a registered name with another key");
    });
  });

  it("gets the same answer for the same bytes, and none for other bytes under its id", async () => {
    const id = Buffer.alloc(16, 7).toString("base64url");
    const first = (await node.question({ id })) as JsonValue;
    const answer = await node.post("/v1/authorize", first);
    expect(answer.json["outcome"]).to.equal("allowed");
    const before = (await node.recorded()).length;
    const again = await node.post("/v1/authorize", first);
    expect(again.json["decisionId"]).to.equal(answer.json["decisionId"]);
    expect(again.json["seq"]).to.equal(answer.json["seq"]);
    const other = await node.post("/v1/authorize", await node.question({ id, lifetimeMs: 59_000 }));
    expectProblem(other, "COMMAND_REPLAYED", "the same id with other bytes");
    expect(await node.recorded()).to.have.length(before);
  });

  it("is refused at an address for another kind, and under another Idempotency-Key", async () => {
    await leavesNothing(async () => {
      expectProblem(await node.post("/v1/grants", await node.question()), "COMMAND_KIND_UNKNOWN", "a question at grants");
      const key = { "idempotency-key": Buffer.alloc(16, 9).toString("base64url") };
      expectProblem(await node.post("/v1/authorize", await node.question(), key), "REQUEST_CONFLICT", "another key");
    });
  });

  it("is denied, and recorded as denied, when a known service asks for what it may not do", async () => {
    const before = (await node.recorded()).length;
    const body = { capability: { ...QUESTION.capability, resources: ["treasury/keys"] } };
    const answer = await node.post("/v1/authorize", await node.question({ body }));
    expect(answer.status).to.equal(200);
    expect(answer.json["outcome"]).to.equal("denied");
    const entries = await node.recorded();
    expect(entries).to.have.length(before + 1);
    expect(entries.at(-1)).to.include({ kind: "decision", decision: "denied" });
  });

  it("is refused when an operator's act comes from a service, and recorded as refused to nobody's surprise", async () => {
    const body = { service: "service-1", capability: { ...QUESTION.capability, temporal: ["continuous"] } };
    const answer = await node.post("/v1/grants", await node.command({ kind: "grant.create", issuer: "service-1", body }));
    expect(answer.status).to.be.within(400, 499);
    expect(answer.json["code"]).to.match(/^(FORMAT|IDENTITY|AUTHORIZATION|COMMAND|REQUEST)_/);
  });
});
