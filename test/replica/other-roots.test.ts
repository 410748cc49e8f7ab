import { expect } from "chai";
import { type Cosignature, cosignatureMessages, cosignatureSeconds, type LogPoint } from "#audit";
import { type Hash, LIMITS, type NodeId, parseHash } from "#base";
import { nodeHasher } from "#crypto";
import { Certifier, encodeCosignatures, replicaRules } from "#replica";
import { CLUSTER, keys, MEMBERSHIP, NODES } from "./four-members.ts";

const [OWN, OTHER] = ["1", "2"].map((digit) => parseHash(digit.repeat(64))) as [Hash, Hash];
const HEIGHT = 7;
const POINT: LogPoint = { origin: `bank.example/audit/${CLUSTER.slice(0, 8)}/2026h2`, shard: "2026h2", size: 40, root: OWN, timeUs: 0 };
const [SELF, ...PEERS] = NODES;

function line(node: NodeId, root: Hash): Cosignature {
  const point = { ...POINT, root };
  const messages = cosignatureMessages(point);
  const sign = (role: string, message: Uint8Array): Uint8Array => keys.keyOf(`${node}/${role}`).sign(message);
  const logSignature = sign("log", messages.log);
  const witnessSignature = sign("witness", messages.witness);
  return { node, size: point.size, root, seconds: cosignatureSeconds(point), logSignature, witnessSignature };
}

describe("a node whose log has another root than others cosign", () => {
  let diverged: number[];
  let certified: number[];
  let certifier: Certifier;

  beforeEach(() => {
    diverged = [];
    certified = [];
    certifier = new Certifier({
      self: SELF,
      membershipAt: () => MEMBERSHIP,
      trustDomain: "bank.example",
      hasher: nodeHasher,
      faultModel: "byzantine",
      // It says nothing itself.
      signer: { holds: () => false, sign: () => undefined },
      verifier: keys.verifier,
      rules: replicaRules,
      onCertified: ({ point }) => certified.push(point.height),
      onDiverged: (height) => diverged.push(height),
      onKeysMissing: () => undefined,
    });
    certifier.addPoint(HEIGHT, POINT);
  });

  const hear = (node: NodeId, root: Hash): void => {
    const { size, seconds, logSignature, witnessSignature } = line(node, root);
    certifier.receive(node, { kind: "cosignature", height: HEIGHT, size, root, seconds, logSignature, witnessSignature });
  };

  it("stops once they are a quorum, and not before", () => {
    hear(PEERS[0], OTHER);
    hear(PEERS[1], OTHER);
    expect([diverged, certified]).to.deep.equal([[], []]);
    hear(PEERS[2], OTHER);
    expect([diverged, certified]).to.deep.equal([[HEIGHT], []]);
  });

  it("stops where a proposal shows their quorum, and votes for none that names it", () => {
    const verdicts: boolean[] = [];
    const ask = (nodes: readonly NodeId[]): void => {
      const proof = encodeCosignatures(nodes.map((node) => line(node, OTHER)));
      certifier.checkClaim({ height: HEIGHT, size: POINT.size, root: OTHER }, proof, (valid) => void verdicts.push(valid));
    };
    ask(PEERS.slice(0, 2));
    expect([verdicts, diverged]).to.deep.equal([[false], []]);
    ask(PEERS);
    expect([verdicts, diverged, certified]).to.deep.equal([[false, false], [HEIGHT], []]);
  });

  it("keeps nothing that is said of heights far ahead", () => {
    const far = HEIGHT + LIMITS.uncertifiedHeightsMax + 1;
    for (const height of [far - 1, far]) {
      for (const node of PEERS) {
        const { size, root, seconds, logSignature, witnessSignature } = line(node, OWN);
        certifier.receive(node, { kind: "cosignature", height, size, root, seconds, logSignature, witnessSignature });
      }
    }
    certifier.addPoint(far, POINT);
    expect(certified).to.deep.equal([]);
    certifier.addPoint(far - 1, POINT);
    expect(certified).to.deep.equal([far - 1]);
  });
});
