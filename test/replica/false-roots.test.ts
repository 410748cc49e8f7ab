import { expect } from "chai";
import { type Cosignature, checkpointText, type LogPoint, logSignatureMessage } from "#audit";
import {
  type Accusation,
  contradicts,
  fromHex,
  type Hash,
  hashNode,
  type NodeId,
  type Prefix,
  parseHash,
  parseNodeId,
  portableHasher,
  type SignatureVerifier,
  toHash,
} from "#base";
import { FalseRoots } from "#replica";
import { CLUSTER, isGenuine, keys, MEMBERSHIP, NODES } from "./four-members.ts";

const [TRUE, FALSE, OTHER] = ["1", "2", "3"].map((digit) => parseHash(digit.repeat(64))) as [Hash, Hash, Hash];
const POINT: LogPoint = { origin: "bank.example/audit/cccccccc/2026h2", shard: "2026h2", size: 40, root: TRUE, timeUs: 0 };
const [, , , LIAR] = NODES;

function line(node: NodeId, root: Hash, change: Partial<Cosignature> = {}): Cosignature {
  const { size = POINT.size } = change;
  const logSignature = keys.keyOf(`${node}/log`).sign(logSignatureMessage(checkpointText({ ...POINT, size, root })));
  return { node, size, root, seconds: 0, logSignature, witnessSignature: new Uint8Array(64), ...change };
}

describe("false roots of the log", () => {
  let found: Accusation[];
  let prefix: Prefix | undefined;
  let roots: FalseRoots;
  const certify = (others: readonly Cosignature[], signers: readonly NodeId[] = NODES.slice(0, 3)): void =>
    roots.onCertified(7, { point: POINT, cosignatures: signers.map((node) => line(node, TRUE)) }, others);

  beforeEach(() => {
    found = [];
    prefix = undefined;
    roots = new FalseRoots({
      cluster: CLUSTER,
      verifier: keys.verifier,
      membershipAt: () => MEMBERSHIP,
      prefixOf: () => prefix,
      onAccusation: (item) => found.push(item),
    });
  });

  it("convict who signed one beside a quorum, before it was certified or after, and once", () => {
    certify([line(LIAR, FALSE)]);
    roots.onCosignature(7, line(LIAR, FALSE));
    roots.onCosignature(7, line(LIAR, OTHER));
    expect(found.map(({ kind, node }) => [kind, node])).to.deep.equal([["false-endorsement", LIAR]]);
    expect(found.every(isGenuine)).to.equal(true);
  });

  it("convict who signed the true one too by its own two words", () => {
    certify([], NODES);
    roots.onCosignature(7, line(LIAR, FALSE));
    roots.onPair(8, { point: POINT, lines: [line(LIAR, FALSE), line(LIAR, OTHER)] });
    expect(found.map(({ kind }) => kind)).to.deep.equal(["conflicting-checkpoints", "conflicting-checkpoints"]);
    expect(found.every(isGenuine)).to.equal(true);
  });

  it("convict who signed a size that the log had not, once it has grown past it", () => {
    const [left, right] = [TRUE, OTHER].map((root) => fromHex(root)) as [Uint8Array, Uint8Array];
    const grown: LogPoint = { ...POINT, size: 3, root: toHash(hashNode(portableHasher, left, right)) };
    const early: LogPoint = { ...POINT, size: 1 };
    const lines = (point: LogPoint): Cosignature[] => NODES.slice(0, 3).map((node) => line(node, point.root, { size: point.size }));
    prefix = { root: TRUE, path: [right] };
    roots.onCertified(7, { point: early, cosignatures: lines(early) }, [line(LIAR, FALSE, { size: 2 }), line(LIAR, TRUE, { size: 2 })]);
    expect(found).to.deep.equal([]);
    roots.onCertified(8, { point: grown, cosignatures: lines(grown) }, []);
    expect(found.map(({ kind, node }) => [kind, node])).to.deep.equal([["false-endorsement", LIAR]]);
    expect(found.every(isGenuine)).to.equal(true);
    const [accusation] = found;
    expect(accusation?.kind === "false-endorsement" && contradicts({ ...accusation, prefix: { root: OTHER, path: [right] } })).to.equal(
      false,
    );
    expect(accusation?.kind === "false-endorsement" && contradicts({ ...accusation, prefix: { root: FALSE, path: [right] } })).to.equal(
      false,
    );
  });

  it("convict nobody for the true root, another size, a forgery, or a height that is not certified", () => {
    const forged = new Uint8Array(64);
    certify([line(LIAR, TRUE), line(LIAR, FALSE, { size: 41 }), line(LIAR, FALSE, { logSignature: forged })]);
    roots.onCosignature(8, line(LIAR, FALSE));
    roots.onPair(7, { point: POINT, lines: [line(LIAR, FALSE), line(LIAR, FALSE)] });
    roots.onPair(7, { point: POINT, lines: [line(LIAR, FALSE, { size: 41 }), line(LIAR, TRUE)] });
    roots.onCosignature(7, line(parseNodeId("node-9"), FALSE));
    expect(found).to.deep.equal([]);
  });

  it("are not hidden by a forgery that comes first, and forgeries cost a few looks only", () => {
    let looks = 0;
    const counted: SignatureVerifier = {
      verify: (claims, done) => {
        looks += 1;
        keys.verifier.verify(claims, done);
      },
    };
    roots = new FalseRoots({
      cluster: CLUSTER,
      verifier: counted,
      membershipAt: () => MEMBERSHIP,
      prefixOf: () => prefix,
      onAccusation: (item) => found.push(item),
    });
    certify([line(LIAR, FALSE, { logSignature: new Uint8Array(64) })]);
    roots.onCosignature(7, line(LIAR, FALSE));
    expect(found).to.have.length(1);
    for (let i = 0; i < 20; i++) roots.onCosignature(7, line(LIAR, FALSE, { logSignature: new Uint8Array(64).fill(i) }));
    expect(looks).to.be.at.most(3);
  });

  it("are compared at the newest certified heights alone: those that were passed over are forgotten with the rest", () => {
    certify([]);
    roots.onCertified(22, { point: POINT, cosignatures: [] }, []);
    roots.onCosignature(7, line(LIAR, FALSE));
    expect(found).to.have.length(1);
    roots.onCertified(40, { point: POINT, cosignatures: [] }, []);
    roots.onCosignature(7, line(LIAR, OTHER));
    roots.onCosignature(22, line(NODES[0], FALSE));
    expect(found).to.have.length(1);
  });
});
