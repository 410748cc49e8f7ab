import { expect } from "chai";
import fc from "fast-check";
import {
  type CanonicalObject,
  concatBytes,
  encodeCanonical,
  encodeUtf8,
  errorCode,
  fromHex,
  isErrorCode,
  isWellFormed,
  LIMITS,
  type SignedCommand,
  toHex,
  u64be,
} from "#base";
import { COMMAND_KINDS, LedgerState, StateTree } from "#state";
import { hasher, keyOf, LedgerKit, OPERATOR, SECOND, START } from "./ledger-kit.ts";

const SERVICES = ["s1", "s2", "s3"];

const service = fc.constantFrom(...SERVICES);

/** One thing that somebody does; references to earlier commands are by number. */
const step = fc.oneof(
  fc.record({ does: fc.constant("register"), service, days: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ does: fc.constant("grant"), service, days: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ does: fc.constant("authorize"), service, days: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ does: fc.constant("authorize"), service, days: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ does: fc.constant("revoke-service"), service, days: fc.constant(0) }),
  fc.record({ does: fc.constant("revoke-grant"), service, days: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ does: fc.constant("again"), service, days: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ does: fc.constant("thief"), service, days: fc.constant(0) }),
);

const history = fc.array(fc.tuple(fc.array(step, { maxLength: 8 }), fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 12 });

function commandOf(
  kit: LedgerKit,
  earlier: readonly SignedCommand[],
  { does, service: id, days }: { does: string; service: string; days: number },
) {
  switch (does) {
    case "register":
      return kit.register(id, { notAfterUs: START + days * 50 * SECOND });
    case "grant":
      return kit.grant(id, {}, { notAfterUs: START + (days + 1) * 20 * SECOND });
    case "authorize":
      return kit.authorize(id, { scope: ["user", "application", "system", "global"][days] });
    case "revoke-service":
      return kit.revokeService(id);
    case "revoke-grant":
      return kit.revokeGrant(earlier.filter(({ command }) => command.kind === "grant.create").at(days)?.hash ?? "0".repeat(64));
    case "again":
      return earlier.at(-1 - days) ?? kit.revokeService(id, "s1");
    default:
      return kit.authorize(id, {}, { key: keyOf("thief") });
  }
}

function run(blocks: typeof history extends fc.Arbitrary<infer T> ? T : never): { kit: LedgerKit; commands: SignedCommand[] } {
  const kit = new LedgerKit();
  const commands: SignedCommand[] = [];
  for (const [steps, seconds] of blocks) {
    const block = steps.map((item) => {
      const command = commandOf(kit, commands, item);
      commands.push(command);
      return command;
    });
    kit.apply(block, seconds * SECOND);
  }
  return { kit, commands };
}

/** Key → value in hexadecimal, sorted, so that two states compare in words. */
function dump(entries: Iterable<readonly [string, Uint8Array]>): readonly string[] {
  return [...entries].map(([key, value]) => `${key} ${toHex(value)}`).sort();
}

describe("state: properties over random histories", () => {
  it("stores exactly the state: the changes replayed are its entries, and restore goes on alike", () => {
    fc.assert(
      fc.property(history, history, (past, future) => {
        const { kit } = run(past);
        const stored = kit.stored();
        expect(dump(stored)).to.deep.equal(dump(kit.state.entries()));
        const restored = LedgerState.restore(kit.options(), [...stored].reverse());
        expect(restored.stateHash).to.equal(kit.state.stateHash);
        expect(restored.stateRoot()).to.equal(kit.state.stateRoot());
        expect(dump(restored.entries())).to.deep.equal(dump(stored));
        for (const id of SERVICES) {
          expect(restored.service(id)).to.deep.equal(kit.state.service(id));
          expect(restored.grantsOf(id)).to.deep.equal(kit.state.grantsOf(id));
        }
        for (const [steps, seconds] of future) {
          const block = kit.block(
            steps.map((item) => commandOf(kit, [], item)),
            seconds * SECOND,
          );
          expect(encodeApplied(restored.apply(block))).to.equal(encodeApplied(kit.state.apply(block)));
        }
        expect(restored.stateRoot()).to.equal(kit.state.stateRoot());
      }),
      { numRuns: 60 },
    );
  });

  it("comes to the same results, entries, changes and hash on every replica", () => {
    fc.assert(
      fc.property(history, (blocks) => {
        const { kit } = run(blocks);
        const other = LedgerState.fromGenesis(kit.options());
        kit.blocks.forEach((block, index) => {
          const applied = kit.applied[index];
          if (applied === undefined) throw new Error("a block was not applied");
          expect(encodeApplied(other.apply(block))).to.equal(encodeApplied(applied));
        });
      }),
      { numRuns: 60 },
    );
  });

  it("sorts the changes, names each key once, and keeps the root of what is stored", () => {
    fc.assert(
      fc.property(history, (blocks) => {
        const { kit } = run(blocks);
        for (const { changes } of kit.applied) {
          const keys = changes.map(({ key }) => key);
          expect(keys).to.deep.equal([...new Set(keys)].sort());
        }
        const tree = new StateTree(hasher);
        for (const [key, value] of kit.stored()) if (key !== "meta/stateHash") tree.apply({ key, value });
        expect(kit.state.stateRoot()).to.equal(tree.root());
      }),
      { numRuns: 60 },
    );
  });

  it("takes no (key, id) twice, and allows nothing without a good identity and grant", () => {
    fc.assert(
      fc.property(history, (blocks) => {
        const { kit } = run(blocks);
        const taken = new Set<string>();
        const registered = new Set<string>();
        const revoked = new Set<string>();
        kit.blocks.forEach((block, height) => {
          block.commands.forEach(({ command, hash }, index) => {
            const result = kit.applied[height]?.results[index];
            if (result === undefined) throw new Error("a command without a result");
            expect(result.command).to.equal(hash);
            if (result.entry !== undefined) {
              expect(taken.has(hash)).to.equal(false);
              taken.add(hash);
            }
            if (result.outcome === "applied" && command.kind === "service.register") registered.add(command.issuer);
            if (result.outcome === "applied" && command.kind === "service.revoke") revoked.add(command.body["service"] as string);
            if (result.outcome !== "allowed") return;
            expect(registered.has(command.issuer) && !revoked.has(command.issuer)).to.equal(true);
            const grant = result.answer["grant"] as string;
            expect(taken.has(grant)).to.equal(true);
            expect(command.key).to.equal(keyOf(command.issuer));
          });
        });
      }),
      { numRuns: 100 },
    );
  });

  it("gives the same bytes one answer, however many commands of one id there are and whenever each expires", () => {
    const drawn = fc.record({ id: fc.nat(1), lives: fc.integer({ min: 1, max: 60 }) });
    const order = fc.tuple(fc.array(fc.nat(9), { maxLength: 4 }), fc.integer({ min: 1, max: 25 }));
    fc.assert(
      fc.property(fc.array(drawn, { minLength: 10, maxLength: 10 }), fc.array(order, { maxLength: 12 }), (commands, blocks) => {
        const kit = new LedgerKit();
        kit.apply([kit.register("s1"), kit.grant("s1")]);
        const ids = [kit.authorize("s1"), kit.authorize("s1")].map(({ command }) => command.id);
        const signed = commands.map(({ id, lives }) =>
          kit.authorize("s1", {}, { id: ids[id] ?? "", expiresAtUs: kit.state.timeUs + lives * SECOND }),
        );
        const first = new Map<string, string>();
        for (const [picks, seconds] of blocks) {
          for (const { command, code } of kit.apply(
            picks.flatMap((at) => signed[at] ?? []),
            seconds * SECOND,
          ).results) {
            const known = first.get(command);
            if (known === undefined) first.set(command, code);
            else expect(code).to.be.oneOf(known === "OK" ? ["COMMAND_DUPLICATE", "COMMAND_EXPIRED"] : [known, "COMMAND_EXPIRED"]);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("changes nothing but counters and spent ids for a block of unauthenticated refusals", () => {
    const { kit } = run([
      [
        [
          { does: "register", service: "s1", days: 9 },
          { does: "grant", service: "s1", days: 9 },
        ],
        1,
      ],
    ]);
    const records = (): readonly string[] => dump(kit.state.entries()).filter((row) => /^(?:service|grant)\//.test(row));
    const before = records();
    const replayed = kit.blocks[0]?.commands[0];
    if (replayed === undefined) throw new Error("a command was expected");
    const applied = kit.apply([
      replayed,
      kit.authorize("stranger"),
      kit.authorize("s1", {}, { key: keyOf("thief") }),
      kit.register("s9", { issuer: "unknown-ca" }),
      kit.command({ kind: "nothing", by: "s1", body: {} }),
    ]);
    expect(applied.entries.map(({ kind }) => kind)).to.deep.equal(["block.sealed"]);
    expect(applied.changes.map(({ key }) => key.split("/")[0])).to.deep.equal(["meta", "meta", "used"]);
    expect(records()).to.deep.equal(before);
  });

  it("writes no record for a recorded refusal: only its id and the counters", () => {
    const { kit } = run([[[{ does: "register", service: "s1", days: 9 }], 1]]);
    const applied = kit.apply([kit.register("s1", { publicKey: keyOf("other") }), kit.grant("nobody"), kit.revokeGrant("0".repeat(64))]);
    expect(applied.results.map(({ outcome }) => outcome)).to.deep.equal(["refused", "refused", "refused"]);
    expect(applied.changes.map(({ key }) => key.split("/")[0])).to.deep.equal(["meta", "meta", "used"]);
  });

  it("chains the state hash: H(previous ‖ H(changes)), the first from the cluster id", () => {
    fc.assert(
      fc.property(history, (blocks) => {
        const { kit } = run(blocks);
        let previous = hasher.sha256(concatBytes(encodeUtf8("quorumgate/state/v1\0"), fromHex(kit.cluster)));
        for (const { changes, stateHash } of kit.applied) {
          const parts = changes.flatMap(({ key, value }) => {
            if (key === "meta/stateHash") return [];
            const length = Uint8Array.of(key.length >> 8, key.length & 255);
            const size = u64be(value?.length ?? 0).subarray(4);
            return [length, encodeUtf8(key), ...(value === undefined ? [Uint8Array.of(0)] : [Uint8Array.of(1), size, value])];
          });
          previous = hasher.sha256(concatBytes(previous, hasher.sha256(concatBytes(...parts))));
          expect(stateHash).to.equal(toHex(previous));
        }
      }),
      { numRuns: 30 },
    );
  });

  it("seals the state root at multiples of 128 and at no other height", () => {
    const kit = new LedgerKit();
    for (let height = 1; height <= 2 * LIMITS.stableCheckpointInterval; height++) {
      const commands = height === 1 ? [kit.register("s1"), kit.grant("s1")] : [kit.authorize("s1")];
      const sealed = kit.apply(commands, SECOND).entries.at(-1)?.content;
      const stable = height % LIMITS.stableCheckpointInterval === 0;
      expect(sealed?.["stateRoot"]).to.equal(stable ? kit.state.stateRoot() : undefined);
    }
  });
});

/** Bodies near the right shape, and far from it. */
const nearly: fc.Arbitrary<CanonicalObject> = fc.oneof(
  fc.dictionary(
    fc.constantFrom("service", "grant", "capability", "context", "reason", "sessionId", "extra", "consensusRequired"),
    fc.jsonValue({ maxDepth: 4 }).map((value) => withoutNull(value) as CanonicalObject),
  ),
  fc.record({
    capability: fc.dictionary(
      fc.constantFrom("domain", "operation", "scope", "temporal", "riskLevel", "resources", "constraints"),
      fc.oneof(fc.constantFrom("data", "read", "user", "safe", "batch"), fc.array(fc.string(), { maxLength: 3 }), fc.constant({})),
    ),
  }),
) as fc.Arbitrary<CanonicalObject>;

function withoutNull(value: unknown): unknown {
  if (value === null || (typeof value === "number" && !Number.isSafeInteger(value))) return 0;
  if (Array.isArray(value)) return value.map(withoutNull);
  if (typeof value !== "object") return typeof value === "string" ? wellFormed(value) : value;
  return Object.fromEntries(
    Object.entries(value as object)
      .filter(([key]) => key !== "__proto__")
      .map(([key, item]) => [wellFormed(key), withoutNull(item)]),
  );
}

function wellFormed(text: string): string {
  return isWellFormed(text) ? text : "\ufffd";
}

describe("state: hostile input", () => {
  it("makes apply refuse with a code, never throw", () => {
    const kit = new LedgerKit();
    kit.apply([kit.register("s1")]);
    fc.assert(
      fc.property(
        fc.constantFrom(...COMMAND_KINDS, "toString", "other"),
        nearly,
        fc.constantFrom("s1", OPERATOR.id, "nobody"),
        (kind, body, by) => {
          const applied = kit.apply([kit.command({ kind, by, body })]);
          const code = applied.results[0]?.code ?? "";
          expect(code === "OK" || isErrorCode(code), code).to.equal(true);
          expect(code).to.not.equal("INTERNAL_ERROR");
        },
      ),
      { numRuns: 600 },
    );
  });

  it("makes restore refuse as STORAGE_CORRUPT", () => {
    const { kit } = run([
      [
        [
          { does: "register", service: "s1", days: 9 },
          { does: "grant", service: "s1", days: 9 },
        ],
        1,
      ],
    ]);
    const stored = kit.stored();
    const attempts: Map<string, Uint8Array>[] = [...stored].flatMap(([key, value]) => [
      new Map(stored).set(key, value.subarray(1)),
      new Map(stored).set(key, new Uint8Array(0)),
      new Map(stored).set(key, new TextEncoder().encode("{}")),
      new Map([...stored].map(([name, bytes]) => [name === key ? `x${name}` : name, bytes])),
    ]);
    for (const key of ["meta/ledger", "meta/stateHash"]) {
      attempts.push(new Map([...stored].filter(([name]) => name !== key)));
    }
    for (const attempt of attempts) {
      let code = "OK";
      try {
        LedgerState.restore(kit.options(), attempt);
      } catch (error) {
        code = errorCode(error);
      }
      expect(code).to.equal("STORAGE_CORRUPT");
    }
  });

  it("takes an empty store as the state before the first block", () => {
    const kit = new LedgerKit();
    const restored = LedgerState.restore(kit.options(), []);
    expect([restored.height, restored.timeUs, restored.stateHash]).to.deep.equal([0, START, kit.state.stateHash]);
  });
});

function encodeApplied({ results, entries, changes, stateHash }: ReturnType<LedgerState["apply"]>): string {
  const bytes = encodeCanonical({
    results: results.map((result) => ({ ...result })),
    entries: entries.map((entry) => ({ ...entry })),
    changes: changes.map(({ key, value }) => (value === undefined ? { key } : { key, value: toHex(value) })),
    stateHash,
  });
  return toHex(bytes);
}
