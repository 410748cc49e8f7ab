import { expect } from "chai";
import fastCheck from "fast-check";
import { QuorumgateError, toHash } from "#base";
import {
  type CommitCertificate,
  checkCommitCertificate,
  decodeGuardRecord,
  decodeMessage,
  encodeGuardRecord,
  encodeMessage,
  guardKey,
  type SignIntent,
  VoteGuard,
} from "#consensus";
import { membershipOf, nodeId } from "./core-kit.ts";

const DIGEST = toHash(new Uint8Array(32).fill(7));
const OTHER = toHash(new Uint8Array(32).fill(8));

function certificate(nodes: readonly number[]): CommitCertificate {
  const votes = nodes.map((node) => ({ node: nodeId(node), signature: new Uint8Array(64) }));
  return { epoch: 0, height: 1, view: 0, digest: DIGEST, votes };
}

describe("a commit certificate", () => {
  for (const [name, weights, valid, invalid] of [
    [
      "4 equal members",
      [1, 1, 1, 1],
      [
        [1, 2, 3],
        [2, 3, 4],
      ],
      [
        [1, 2],
        [1, 2, 3, 4],
      ],
    ],
    [
      "5 equal members",
      [1, 1, 1, 1, 1],
      [[1, 2, 3, 4]],
      [
        [1, 2, 3],
        [1, 2, 3, 4, 5],
      ],
    ],
    ["6 equal members", [1, 1, 1, 1, 1, 1], [[1, 2, 3, 4, 5]], [[1, 2, 3, 4]]],
    ["8 equal members", [1, 1, 1, 1, 1, 1, 1, 1], [[1, 2, 3, 4, 5, 6]], [[1, 2, 3, 4, 5]]],
    [
      "unequal weights",
      [3, 3, 2, 1, 1],
      [
        [1, 2, 3],
        [1, 2, 4],
      ],
      [
        [1, 2],
        [3, 4, 5],
        [1, 2, 3, 4],
      ],
    ],
  ] as const) {
    it(`needs the weight of a quorum and no vote more, with ${name}`, () => {
      const membership = membershipOf(weights);
      for (const nodes of valid)
        expect(checkCommitCertificate(certificate(nodes), { membership, engine: "pbft" }), nodes.join()).to.equal(true);
      for (const nodes of invalid)
        expect(checkCommitCertificate(certificate(nodes), { membership, engine: "pbft" }), nodes.join()).to.equal(false);
    });
  }

  it("is refused with a signer twice, a stranger, another order or another epoch", () => {
    const membership = membershipOf([1, 1, 1, 1]);
    for (const nodes of [[1, 2, 2], [1, 1, 1], [1, 2, 9], [3, 2, 1], []]) {
      expect(checkCommitCertificate(certificate(nodes), { membership, engine: "pbft" }), nodes.join()).to.equal(false);
    }
    expect(checkCommitCertificate({ ...certificate([1, 2, 3]), epoch: 1 }, { membership, engine: "pbft" })).to.equal(false);
  });
});

describe("the codec of consensus messages", () => {
  const bytes = (length: number): fastCheck.Arbitrary<Uint8Array> => fastCheck.uint8Array({ minLength: length, maxLength: length });
  const slot = { epoch: fastCheck.nat(), height: fastCheck.nat(), view: fastCheck.nat() };
  const digest = bytes(32).map(toHash);
  const vote = fastCheck.record({
    type: fastCheck.constantFrom("prepare" as const, "commit" as const),
    ...slot,
    digest,
    signature: bytes(64),
  });
  const body = { headerBytes: fastCheck.uint8Array({ maxLength: 300 }), certifiedProof: fastCheck.uint8Array({ maxLength: 300 }) };
  const batch = fastCheck.array(fastCheck.uint8Array({ maxLength: 50 }), { maxLength: 5 });
  const propose = fastCheck.record({ type: fastCheck.constant("propose" as const), ...slot, ...body, batch, signature: bytes(64) });

  it("reads back what it wrote", () => {
    fastCheck.assert(
      fastCheck.property(fastCheck.oneof(vote, propose), (message) => {
        expect(decodeMessage(encodeMessage(message))).to.deep.equal(message);
      }),
    );
  });

  it("answers arbitrary and damaged bytes with an error of its own, never with another", () => {
    const damaged = fastCheck
      .tuple(fastCheck.oneof(vote, propose).map(encodeMessage), fastCheck.nat(), fastCheck.integer({ min: 1, max: 255 }))
      .map(([message, at, flip]) => {
        const copy = message.slice();
        copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ flip;
        return copy;
      });
    fastCheck.assert(
      fastCheck.property(fastCheck.oneof(fastCheck.uint8Array({ maxLength: 400 }), damaged), (input) => {
        try {
          const message = decodeMessage(input);
          expect(encodeMessage(message)).to.deep.equal(input);
        } catch (error) {
          expect(error).to.be.instanceOf(QuorumgateError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("refuses a message with bytes left over, or cut short", () => {
    const whole = encodeMessage({ type: "fetch-proposal", height: 3, digest: DIGEST });
    expect(() => decodeMessage(Uint8Array.of(...whole, 0))).to.throw(QuorumgateError);
    for (let length = 0; length < whole.length; length++) expect(() => decodeMessage(whole.slice(0, length))).to.throw(QuorumgateError);
  });
});

describe("the vote guard", () => {
  const intent = (about: Partial<SignIntent> = {}): SignIntent => ({
    purpose: "vote",
    epoch: 0,
    height: 5,
    view: 2,
    phase: 2,
    digest: DIGEST,
    ...about,
  });
  const signature = new Uint8Array(64).fill(9);

  it("gives one slot one digest, before and after the signature is known", () => {
    const guard = new VoteGuard();
    expect(guard.request(intent()).kind).to.equal("sign");
    expect(guard.request(intent({ digest: OTHER })).kind).to.equal("refused");
    guard.record(intent(), signature);
    expect(guard.request(intent({ digest: OTHER })).kind).to.equal("refused");
    expect(guard.request(intent())).to.deep.equal({ kind: "stored", signature });
  });

  it("refuses every view below the highest that was promised, at any height", () => {
    const guard = new VoteGuard();
    guard.request(intent({ purpose: "view-change", view: 4, phase: 0 }));
    expect(guard.highestView({ epoch: 0, height: 0 })).to.equal(4);
    for (const height of [5, 6, 100]) expect(guard.request(intent({ height, view: 3 })).kind).to.equal("refused");
    expect(guard.request(intent({ view: 4 })).kind).to.equal("sign");
  });

  it("keeps its promise over pruning and a restart", () => {
    const guard = new VoteGuard();
    const stored = new Map<string, Uint8Array>();
    for (const [height, view] of [
      [5, 2],
      [6, 3],
      [7, 3],
    ] as const) {
      const record = guard.record(intent({ height, view }), signature);
      stored.set(guardKey(record), encodeGuardRecord(record));
    }
    for (const key of guard.prune(7)) stored.delete(key);
    expect(stored.size).to.equal(1);
    const again = new VoteGuard([...stored.values()].map(decodeGuardRecord));
    expect(again.highestView({ epoch: 0, height: 0 })).to.equal(3);
    expect(again.request(intent({ height: 8, view: 2 })).kind).to.equal("refused");
  });

  it("signs nothing at a height that is decided, and gives what it gave there before", () => {
    const guard = new VoteGuard();
    guard.record(intent({ height: 5 }), signature);
    guard.prune(6);
    expect(guard.request(intent({ height: 6 })).kind).to.equal("refused");
    expect(guard.request(intent({ height: 5, digest: OTHER })).kind).to.equal("refused");
    expect(guard.request(intent({ height: 7 })).kind).to.equal("sign");
  });

  it("begins anew with each epoch, or by its scope with each height", () => {
    const epochs = new VoteGuard();
    epochs.request(intent({ view: 4 }));
    expect(epochs.request(intent({ epoch: 1, height: 6, view: 0 })).kind).to.equal("sign");
    expect(epochs.request(intent({ height: 6, view: 0 })).kind).to.equal("refused");
    const heights = new VoteGuard([], "height");
    heights.request(intent({ view: 4 }));
    expect(heights.request(intent({ height: 6, view: 0 })).kind).to.equal("sign");
    expect(heights.request(intent({ view: 3 })).kind).to.equal("refused");
  });
});
