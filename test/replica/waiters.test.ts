import { expect } from "chai";
import { type Hash, parseHash, type Timers } from "#base";
import { type OrderedRecord, type SubmitAnswer, Waiters } from "#replica";

/** Nobody's time is ever up. */
const patient: Timers = { after: () => ({ cancel: () => undefined }) };

function hashOf(digit: string): Hash {
  return parseHash(digit.repeat(64));
}

function recordOf(command: Hash, height: number): OrderedRecord {
  return { command, height, timeUs: 1, outcome: "allowed", code: "OK", answer: {} };
}

describe("those who wait for commands", () => {
  it("are all answered when one of a block's commands is asked for again before the block is certified", () => {
    const waiters = new Waiters(patient);
    const answered: string[] = [];
    const wait = (name: string, command: Hash): void =>
      waiters.add(command, {
        timeoutMs: 1_000,
        onTimeout: (): SubmitAnswer => ({ kind: "unavailable", code: "QUORUM_UNAVAILABLE", waitingFor: [] }),
        done: ({ kind }) => answered.push(`${name} ${kind}`),
      });
    const [one, two] = [hashOf("1"), hashOf("2")];
    wait("first", one);
    wait("second", two);
    waiters.onApplied(7, [recordOf(one, 7), recordOf(two, 7)]);
    // The same bytes again, by another way.
    wait("second again", two);
    waiters.onApplied(7, [recordOf(two, 7)]);
    waiters.onCertified(7);
    expect(answered).to.have.members(["first ordered", "second ordered", "second again ordered"]);
  });
});
