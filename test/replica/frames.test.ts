import { expect } from "chai";
import fastCheck from "fast-check";
import { parseHash, parseNodeId, QuorumgateError, VOTE_TYPE } from "#base";
import { decodeFrame, encodeFrame, type Frame } from "#replica";

describe("frames between replicas", () => {
  const bytes = fastCheck.uint8Array({ maxLength: 60 });
  const vote = fastCheck.record({
    epoch: fastCheck.nat(),
    height: fastCheck.nat(),
    view: fastCheck.nat(),
    type: fastCheck.constantFrom(...Object.values(VOTE_TYPE)),
    digest: fastCheck.constantFrom("a", "f").map((digit) => parseHash(digit.repeat(64))),
    validRound: fastCheck.integer({ min: -1, max: 99 }),
    signature: fastCheck.uint8Array({ minLength: 64, maxLength: 64 }),
  });
  const heard = fastCheck.record({ node: fastCheck.constantFrom("node-1", "a").map(parseNodeId), vote });
  const hash = fastCheck.uint8Array({ minLength: 32, maxLength: 32 });
  const path = fastCheck.array(fastCheck.nat(15), { maxLength: 64 }).map((nibbles) => Uint8Array.from(nibbles));
  const item = fastCheck.record({ key: fastCheck.string({ unit: "grapheme-ascii", maxLength: 40 }), value: bytes });
  const part = fastCheck.oneof(
    fastCheck.record({ kind: fastCheck.constant("leaves" as const), items: fastCheck.array(item, { maxLength: 4 }) }),
    fastCheck.record({
      kind: fastCheck.constant("branch" as const),
      present: fastCheck.nat(65_535),
      hashes: fastCheck.array(hash, { maxLength: 16 }),
    }),
  );
  const frame: fastCheck.Arbitrary<Frame> = fastCheck.oneof(
    fastCheck.record({ kind: fastCheck.constant("commands" as const), commands: fastCheck.array(bytes, { maxLength: 4 }) }),
    fastCheck.record({
      kind: fastCheck.constant("tip" as const),
      height: fastCheck.nat(),
      certifiedHeight: fastCheck.nat(),
      floor: fastCheck.nat(),
      votes: fastCheck.boolean(),
    }),
    fastCheck.record({ kind: fastCheck.constant("sync-request" as const), fromHeight: fastCheck.nat() }),
    fastCheck.record({
      kind: fastCheck.constant("sync-response" as const),
      fromHeight: fastCheck.nat(),
      blocks: fastCheck.array(bytes, { maxLength: 4 }),
    }),
    fastCheck.record({ kind: fastCheck.constant("handover-request" as const), epoch: fastCheck.nat() }),
    fastCheck.record({ kind: fastCheck.constant("handover" as const), epoch: fastCheck.nat(), file: bytes }),
    fastCheck.record({ kind: fastCheck.constant("heard" as const), votes: fastCheck.array(heard, { maxLength: 2 }) }),
    fastCheck.record({ kind: fastCheck.constant("state-offer" as const), fromHeight: fastCheck.nat(), offer: bytes }),
    fastCheck.record({ kind: fastCheck.constant("state-request" as const), height: fastCheck.nat(), path }),
    fastCheck.record(
      { kind: fastCheck.constant("state-part" as const), height: fastCheck.nat(), path, part },
      { requiredKeys: ["kind", "height", "path"] },
    ),
    fastCheck.record({
      kind: fastCheck.constant("log-request" as const),
      seq: fastCheck.nat(),
      last: fastCheck.nat(),
      size: fastCheck.nat(),
    }),
    fastCheck.record({
      kind: fastCheck.constant("log-part" as const),
      seq: fastCheck.nat(),
      entries: fastCheck.array(bytes, { maxLength: 4 }),
      proof: fastCheck.array(hash, { maxLength: 5 }),
      objects: fastCheck.array(bytes, { maxLength: 3 }),
    }),
    fastCheck.record({ kind: fastCheck.constant("probe" as const), nonce: fastCheck.uint8Array({ minLength: 32, maxLength: 32 }) }),
  );

  it("read back as they were written", () => {
    fastCheck.assert(
      fastCheck.property(frame, (item) => {
        expect(decodeFrame(encodeFrame(item))).to.deep.equal(item);
      }),
    );
  });

  it("are refused by an error of ours, whatever the bytes", () => {
    fastCheck.assert(
      fastCheck.property(fastCheck.uint8Array({ maxLength: 300 }), (input) => {
        try {
          decodeFrame(input);
        } catch (error) {
          expect(error).to.be.instanceOf(QuorumgateError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("name no more keys in a part of a state than one can hold, however few bytes each takes", () => {
    const item = { key: "", value: new Uint8Array(0) };
    const partOf = (count: number): Uint8Array =>
      encodeFrame({
        kind: "state-part",
        height: 1,
        path: new Uint8Array(0),
        part: { kind: "leaves", items: Array.from({ length: count }, () => item) },
      });
    expect(decodeFrame(partOf(65_536)).kind).to.equal("state-part");
    expect(() => decodeFrame(partOf(65_537))).to.throw(QuorumgateError);
  });
});
