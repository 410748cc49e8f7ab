import { expect } from "chai";
import { toHash } from "#base";
import { type ClientHistory, checkClientHistory } from "#simulations";

type Item = ClientHistory[number];
type Request = Extract<Item["input"], { readonly command: unknown }>;
type Requested = Item & { readonly input: Request };
type Answer = [outcome: string, code?: string];

const BYZANTINE = { toleratesLies: true };

describe("what clients of the gateway asked and heard", () => {
  it("is in order when every answer follows from what was answered before", () => {
    expect(checkClientHistory(ORDINARY, BYZANTINE)).to.deep.equal({ kind: "linearizable" });
  });

  it("is out of order when a request is denied after its grant was acknowledged", () => {
    const { kind, detail } = findingOf(replaced(ORDINARY, 3, ["denied", "AUTHZ_NO_GRANT"]));
    expect(kind).to.equal("violated");
    expect(detail).to.contain("explains authorize trading execute safe");
  });

  it("is out of order when a request is allowed before its grant was asked for", () => {
    expect(findingOf(replaced(ORDINARY, 1, ["allowed"])).kind).to.equal("violated");
  });

  it("is out of order when a graver risk is allowed than was granted", () => {
    const graver = [...ORDINARY, ask(10, { risk: "critical" }, ["allowed"])];
    expect(findingOf(graver).kind).to.equal("violated");
    expect(findingOf([...ORDINARY, ask(10, { risk: "critical" }, ["denied", "AUTHZ_RISK_EXCEEDED"])]).kind).to.equal("linearizable");
  });

  it("is out of order when a request is allowed after its grant was taken back, and not before", () => {
    const revoke = item(8, { kind: "revoke", grant: GRANT.input.command });
    expect(findingOf([...ORDINARY, revoke, ask(10, {}, ["denied", "AUTHZ_NO_GRANT"])]).kind).to.equal("linearizable");
    expect(findingOf([...ORDINARY, revoke, ask(10, {}, ["allowed"])]).kind).to.equal("violated");
    expect(findingOf([...ORDINARY, unanswered(revoke), ask(10, {}, ["allowed"])]).kind).to.equal("linearizable");
    expect(
      findingOf([...ORDINARY, revoke, { ...revoke, invokedAt: 10, returned: { at: 11, output: { outcome: "applied", code: "OK" } } }]).kind,
    ).to.equal("violated");
  });

  it("is out of order when a read shows less than was acknowledged before it, or more than was asked for", () => {
    const { command } = GRANT.input;
    expect(findingOf([...ORDINARY, read(8, [command])]).kind).to.equal("linearizable");
    expect(findingOf([...ORDINARY, read(8, [])]).kind).to.equal("violated");
    expect(findingOf([...ORDINARY, read(8, [command], false)]).kind).to.equal("violated");
    expect(findingOf([...ORDINARY, read(3, [])]).kind).to.equal("linearizable");
    expect(findingOf([...ORDINARY, read(2, [command])]).kind).to.equal("violated");
    const open = [...ORDINARY.slice(0, 2), unanswered(GRANT)];
    expect(findingOf([...open, read(8, [command]), read(10, [])]).kind).to.equal("violated");
  });

  it("may have a grant that nobody heard of take effect at any time, and then for good", () => {
    const open = [...ORDINARY.slice(0, 2), unanswered(ORDINARY[2])];
    const denied = ask(8, {}, ["denied", "AUTHZ_NO_GRANT"]);
    expect(findingOf([...open, denied, ask(10, {}, ["allowed"])]).kind).to.equal("linearizable");
    expect(findingOf([...open, ask(6, {}, ["allowed"]), denied]).kind).to.equal("violated");
  });

  it("is out of order when two commands of one id both take effect, or neither", () => {
    const one = { identity: "trading 1", isContested: true };
    const replayed: Answer = ["refused", "COMMAND_REPLAYED"];
    expect(findingOf([...ORDINARY, ask(8, one, ["allowed"]), ask(10, one, replayed)]).kind).to.equal("linearizable");
    expect(findingOf([...ORDINARY, ask(8, one, ["allowed"]), ask(10, one, ["allowed"])]).kind).to.equal("violated");
    expect(findingOf([...ORDINARY, ask(8, one, replayed), ask(10, one, replayed)]).kind).to.equal("violated");
  });

  it("is out of order when a cluster that tolerates crashes alone allows what is critical", () => {
    const granted = [item(0, register), item(2, { ...grant, risk: "critical" }), ask(4, { risk: "critical" }, ["allowed"])];
    expect(checkClientHistory(granted, { toleratesLies: false }).kind).to.equal("violated");
    expect(checkClientHistory(granted, BYZANTINE).kind).to.equal("linearizable");
  });
});

const register = { kind: "register", untilUs: 1_000 } as const;
const grant = { kind: "grant", operation: "execute", risk: "elevated" } as const;
let commands = 0;

/** An operation that takes one unit of time. */
function item(at: number, what: Partial<Request>, [outcome, code = "OK"]: Answer = ["applied"]): Requested {
  const command = toHash(new Uint8Array(32).fill(++commands));
  const input = { kind: "authorize", service: "trading", identity: command, isContested: false, command, ...what } as Request;
  return { input, invokedAt: at, returned: { at: at + 1, output: { outcome, code } } };
}

function ask(at: number, what: Partial<Request>, answer: Answer): Item {
  return item(at, { operation: "execute", risk: "safe", ...what }, answer);
}

const GRANT = item(4, grant);
const ORDINARY: ClientHistory = [item(0, register), ask(2, {}, ["denied", "AUTHZ_NO_GRANT"]), GRANT, ask(6, {}, ["allowed"])];

function read(at: number, grants: readonly Request["command"][], registered = true): Item {
  const seen = { untilUs: registered ? 1_000 : undefined, grants };
  const input = { kind: "read", service: GRANT.input.service } as const;
  return { input, invokedAt: at, returned: { at: at + 1, output: { outcome: "read", code: "OK", seen } } };
}

function findingOf(history: ClientHistory): { readonly kind: string; readonly detail?: string } {
  return checkClientHistory(history, BYZANTINE);
}

function replaced(history: ClientHistory, index: number, [outcome, code = "OK"]: Answer): ClientHistory {
  return history.map((one, at) =>
    at === index && one.returned !== undefined ? { ...one, returned: { ...one.returned, output: { outcome, code } } } : one,
  );
}

function unanswered(one: Item | undefined): Item {
  if (one === undefined) throw new RangeError("there is no such operation");
  return { input: one.input, invokedAt: one.invokedAt };
}
