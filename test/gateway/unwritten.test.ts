import { expect } from "chai";
import { type KeyValueStore, parseGenesis, parseNodeId, type SignedCommand, silentTelemetry, type WriteOperation } from "#base";
import { createVerifier, loadSodium, nodeHasher, signCommand } from "#crypto";
import { LocalBackend, systemClock, systemTimers } from "#gateway";
import { assembleGenesis, createNodeIdentity, createServiceKey, nodeSignerOf, serviceSignerOf } from "#identity";
import { type GuardAnchor, initializeGuard, Replica } from "#replica";
import { MemoryStore } from "#storage";
import { memoryNetwork } from "#transport";

/** A disk that stands still while it is told to: what is written meanwhile can be read, as from any store, and is not durable. */
class HaltingDisk implements KeyValueStore {
  readonly #inner = new MemoryStore();
  readonly #held: (() => void)[] = [];
  #holds = false;

  hold(): void {
    this.#holds = true;
  }

  release(): void {
    this.#holds = false;
    for (const done of this.#held.splice(0)) done();
  }

  get(key: string): Uint8Array | undefined {
    return this.#inner.get(key);
  }

  write(operations: readonly WriteOperation[], done: (error?: Error) => void): void {
    this.#inner.write(operations, (error) => {
      if (this.#holds) this.#held.push(() => done(error));
      else done(error);
    });
  }

  scan(...[range, visit, done]: Parameters<KeyValueStore["scan"]>): void {
    this.#inner.scan(range, visit, done);
  }

  close(done: (error?: Error) => void): void {
    this.#inner.close(done);
  }
}

function memoryAnchor(): GuardAnchor {
  let value: Uint8Array | undefined;
  return {
    read: () => value,
    write: (next, done) => {
      value = next;
      setImmediate(done);
    },
  };
}

/** One node alone, and a command that its operator signed. */
async function alone(
  disk: HaltingDisk,
): Promise<{ readonly replica: Replica; readonly backend: LocalBackend; readonly signed: SignedCommand }> {
  const ed25519 = await loadSodium();
  const nowMs = Date.now();
  const identity = createNodeIdentity(ed25519, {
    nodeId: parseNodeId("node-1"),
    trustDomain: "dev.local",
    weight: 1,
    peerAddress: "127.0.0.1:7501",
    httpUrl: "http://127.0.0.1:7401",
    nowMs,
    development: true,
  });
  const [operator, issuer] = [createServiceKey(ed25519, "operator-1"), createServiceKey(ed25519, "issuer-1")];
  const genesisBytes = assembleGenesis(ed25519, {
    environment: "development",
    trustDomain: "dev.local",
    engine: "pbft",
    nodeFiles: [identity.nodeFile],
    operators: [{ id: operator.id, key: operator.publicKey, roles: ["operator"] }],
    issuers: [{ id: issuer.id, key: issuer.publicKey }],
    timeUs: nowMs * 1_000,
  });
  const anchor = memoryAnchor();
  await new Promise<void>((resolve) => initializeGuard({ store: disk, anchor }, () => resolve()));
  const ports = {
    store: disk,
    anchor,
    transport: memoryNetwork().transportFor(identity.member.id),
    clock: systemClock,
    timers: systemTimers,
    entropy: { bytes: (length: number) => new Uint8Array(length) },
    telemetry: silentTelemetry,
    hasher: nodeHasher,
    signer: nodeSignerOf(ed25519, identity),
    verifier: createVerifier(ed25519, { telemetry: silentTelemetry }),
  };
  const replica = await new Promise<Replica>((resolve, reject) =>
    Replica.open({ self: identity.member.id, genesisBytes, ...ports }, (error, opened) =>
      opened === undefined ? reject(error ?? new Error("no replica")) : resolve(opened),
    ),
  );
  await new Promise<void>((resolve) => replica.start(() => resolve()));
  const signed = await signCommand(serviceSignerOf(ed25519, operator), {
    cluster: replica.cluster,
    kind: "service.revoke",
    issuer: operator.id,
    issuedAtUs: nowMs * 1_000,
    expiresAtUs: nowMs * 1_000 + 60_000_000,
    body: { service: "nobody", reason: "test" },
  });
  return { replica, backend: new LocalBackend({ replica, genesis: parseGenesis(genesisBytes) }), signed };
}

describe("a decision that is not on the disk yet", () => {
  it("is told to nobody who looks it up, until it is", async () => {
    const disk = new HaltingDisk();
    const { replica, backend, signed } = await alone(disk);
    disk.hold();
    const answer = backend.submit(signed, 5_000);
    while (replica.status().tip.height === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await backend.decision(signed.hash)).to.equal("pending");
    disk.release();
    expect(await answer).to.have.nested.property("outcome.decisionId", signed.hash);
    expect(await backend.decision(signed.hash)).to.include({ decisionId: signed.hash, height: 1 });
    await new Promise<void>((resolve) => replica.stop(resolve));
  });
});
