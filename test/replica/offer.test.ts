import { expect } from "chai";
import fastCheck from "fast-check";
import { parseHash, QuorumgateError } from "#base";
import { decodeOffer, encodeOffer, type Offer } from "#replica";

const bytes = fastCheck.uint8Array({ maxLength: 60 });
const proof = fastCheck.array(fastCheck.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 6 });
const offer: fastCheck.Arbitrary<Offer> = fastCheck.record({
  height: fastCheck.nat(),
  block: bytes,
  seal: fastCheck.record({ entry: bytes, index: fastCheck.nat(), proof }),
  certified: fastCheck.record({
    point: fastCheck.record({
      shard: fastCheck.constantFrom("2026h1", "2026h2"),
      size: fastCheck.nat(),
      root: fastCheck.constantFrom("a", "f").map((digit) => parseHash(digit.repeat(64))),
      timeUs: fastCheck.nat(),
    }),
    cosignatures: bytes,
  }),
  handovers: fastCheck.array(bytes, { maxLength: 3 }),
  starts: fastCheck.array(fastCheck.record({ entry: bytes, proof }), { maxLength: 3 }),
});

describe("offers of a state", () => {
  it("read back as they were written", () => {
    fastCheck.assert(
      fastCheck.property(offer, (item) => {
        expect(decodeOffer(encodeOffer(item))).to.deep.equal(item);
      }),
    );
  });

  it("are refused with a code of their own, whatever the bytes, and at whatever byte they end", () => {
    const refuses = (input: Uint8Array): void => {
      try {
        decodeOffer(input);
      } catch (error) {
        expect(error).to.be.instanceOf(QuorumgateError);
        expect((error as QuorumgateError).code).to.equal("SYNC_OFFER_INVALID");
      }
    };
    fastCheck.assert(fastCheck.property(fastCheck.uint8Array({ maxLength: 300 }), refuses), { numRuns: 1_000 });
    fastCheck.assert(
      fastCheck.property(offer, fastCheck.nat(400), (item, at) => {
        const whole = encodeOffer(item);
        refuses(whole.subarray(0, at % whole.length));
        expect(() => decodeOffer(Uint8Array.of(...whole, 0))).to.throw(QuorumgateError);
      }),
    );
  });
});
