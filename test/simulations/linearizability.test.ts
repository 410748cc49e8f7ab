import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import fastCheck from "fast-check";
import { checkHistory, type HistoryOperation } from "#simulations";
import { needVectors, readVectors } from "../vectors.ts";
import { REGISTER, type RegisterInput, type RegisterOutput, readRegisterHistory, readTextHistory, TEXTS } from "./public-histories.ts";

interface Expected {
  readonly jepsen_etcd: Readonly<Record<string, boolean>>;
  readonly kv: Readonly<Record<string, boolean>>;
}

describe("the checker of linearizability", function () {
  this.timeout(60_000);

  it("agrees with the known verdicts on the histories of etcd", function () {
    const folder = needVectors(this, "porcupine-histories");
    const { jepsen_etcd: expected } = readVectors<Expected>(folder, "expected.json");
    const verdicts = Object.keys(expected).map((name) => {
      const text = readFileSync(join(folder, "test_data", "jepsen", `etcd_${name.padStart(3, "0")}.log`), "utf8");
      return [name, checkHistory(REGISTER, readRegisterHistory(text)).kind];
    });
    const known = Object.entries(expected).map(([name, good]) => [name, good ? "linearizable" : "violated"]);
    expect(verdicts).to.deep.equal(known);
    expect(verdicts).to.have.length(102);
  });

  it("agrees with the known verdicts on the histories of a store of texts, with up to fifty clients", function () {
    const folder = needVectors(this, "porcupine-histories");
    const { kv: expected } = readVectors<Expected>(folder, "expected.json");
    const verdicts = Object.keys(expected).map((name) => {
      const text = readFileSync(join(folder, "test_data", "kv", `${name}.txt`), "utf8");
      return [name, checkHistory(TEXTS, readTextHistory(text)).kind];
    });
    expect(Object.fromEntries(verdicts)).to.deep.equal(
      Object.fromEntries(Object.entries(expected).map(([name, good]) => [name, good ? "linearizable" : "violated"])),
    );
  });

  it("refuses a read that is older than an answer before it, and says where", () => {
    const history: RegisterHistory = [
      { input: { kind: "write", value: 1 }, invokedAt: 0, returned: { at: 1, output: true } },
      { input: { kind: "write", value: 2 }, invokedAt: 2, returned: { at: 3, output: true } },
      { input: { kind: "read" }, invokedAt: 4, returned: { at: 5, output: 1 } },
    ];
    expect(checkHistory(REGISTER, history)).to.deep.equal({ kind: "violated", partition: "", order: [0, 1], stuckAt: 2 });
  });

  it("lets what was not answered take effect late, or never", () => {
    const open = { input: { kind: "write", value: 1 }, invokedAt: 0 } as const;
    const read = (at: number, output: number | null) =>
      ({ input: { kind: "read" }, invokedAt: at, returned: { at: at + 1, output } }) as const;
    expect(checkHistory(REGISTER, [open, read(2, null), read(4, null)]).kind).to.equal("linearizable");
    expect(checkHistory(REGISTER, [open, read(2, null), read(4, 1)])).to.deep.equal({ kind: "linearizable", orders: [[1, 0, 2]] });
    expect(checkHistory(REGISTER, [open, read(2, 1), read(4, null)]).kind).to.equal("violated");
  });

  it("gives up within its bound, and says so", () => {
    const writes = Array.from({ length: 12 }, (_, value) => ({
      input: { kind: "write", value } as const,
      invokedAt: 0,
      returned: { at: 1, output: true },
    }));
    const impossible = { input: { kind: "read" } as const, invokedAt: 2, returned: { at: 3, output: 99 } };
    expect(checkHistory(REGISTER, [...writes, impossible], { stepsMax: 100 })).to.deep.equal({ kind: "unknown", partition: "" });
    expect(checkHistory(REGISTER, [...writes, impossible]).kind).to.equal("violated");
  });

  it("agrees with a search of every order, and shows an order that holds", () => {
    fastCheck.assert(
      fastCheck.property(fastCheck.array(OPERATION, { maxLength: 6 }), (history) => {
        const verdict = checkHistory(REGISTER, history);
        expect(verdict.kind).to.equal(hasOrder(history, [], null) ? "linearizable" : "violated");
        if (verdict.kind === "linearizable") for (const order of verdict.orders) expectOrder(history, order);
      }),
      { numRuns: 2_000 },
    );
  });
});

type RegisterHistory = HistoryOperation<RegisterInput, RegisterOutput>[];

const VALUE = fastCheck.integer({ min: 0, max: 2 });
const INPUT_AND_OUTPUT = fastCheck.oneof(
  fastCheck.tuple(fastCheck.constant<RegisterInput>({ kind: "read" }), fastCheck.option(VALUE)),
  fastCheck.tuple(
    VALUE.map((value): RegisterInput => ({ kind: "write", value })),
    fastCheck.constant(true),
  ),
  fastCheck.tuple(
    fastCheck.tuple(VALUE, VALUE).map(([from, to]): RegisterInput => ({ kind: "cas", from, to })),
    fastCheck.boolean(),
  ),
);
const OPERATION = fastCheck
  .tuple(INPUT_AND_OUTPUT, fastCheck.nat(20), fastCheck.option(fastCheck.nat(10), { freq: 4 }))
  .map(([[input, output], invokedAt, took]): HistoryOperation<RegisterInput, RegisterOutput> => {
    return took === null ? { input, invokedAt } : { input, invokedAt, returned: { at: invokedAt + took, output } };
  });

/** Every order, without any shortcut. */
function hasOrder(history: RegisterHistory, done: readonly number[], state: number | null): boolean {
  const rest = [...history.keys()].filter((index) => !done.includes(index));
  if (rest.every((index) => history[index]?.returned === undefined)) return true;
  const earliest = Math.min(...rest.map((index) => history[index]?.returned?.at ?? Number.POSITIVE_INFINITY));
  return rest.some((index) => {
    const operation = history[index];
    if (operation === undefined || operation.invokedAt > earliest) return false;
    const after = REGISTER.step(state, operation.input, operation.returned?.output);
    return after !== undefined && hasOrder(history, [...done, index], after);
  });
}

function expectOrder(history: RegisterHistory, order: readonly number[]): void {
  let state: number | null | undefined = REGISTER.initial;
  for (const [place, index] of order.entries()) {
    const operation = history[index];
    if (operation === undefined || state === undefined) throw new Error("the order names what is not there, or does not hold");
    for (const earlier of order.slice(0, place)) expect(history[earlier]?.invokedAt).to.be.at.most(operation.returned?.at ?? 99);
    state = REGISTER.step(state, operation.input, operation.returned?.output);
  }
  expect(state).not.to.equal(undefined);
  const answered = [...history.keys()].filter((index) => history[index]?.returned !== undefined);
  expect(order).to.include.members(answered);
}
