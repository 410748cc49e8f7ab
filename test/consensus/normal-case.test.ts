import { expect } from "chai";
import type { NodeId } from "#base";
import { checkCommitCertificate, commitCertificateClaims } from "#consensus";
import { CLUSTER, isGenuine, membershipOf, nodeId, Room } from "./core-kit.ts";

const [first, second, third, fourth] = [1, 2, 3, 4].map(nodeId) as [NodeId, NodeId, NodeId, NodeId];

describe("the normal case of PBFT", () => {
  it("takes three steps, in the order propose, prepare, commit, decide", () => {
    const room = new Room([1, 1, 1, 1]);
    expect(room.effects("want-proposal").map(({ height, view }) => ({ height, view }))).to.deep.equal([{ height: 1, view: 0 }]);
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    const steps = room.happenings
      .filter(
        ({ node, effect }) => node === second && (effect.type === "broadcast" || effect.type === "append" || effect.type === "decide"),
      )
      .map(({ effect }) =>
        effect.type === "broadcast"
          ? effect.message.type
          : effect.type === "append"
            ? `log ${effect.record.key.split("/")[0]}`
            : effect.type,
      );
    expect(steps).to.deep.equal(["log proposal", "prepare", "log prepared", "commit", "decide"]);
  });

  it("has every member decide the same block, with a certificate that anyone can check", () => {
    const room = new Room([1, 1, 1, 1]);
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    const decided = room.effects("decide");
    const membership = membershipOf([1, 1, 1, 1]);
    expect(new Set(decided.map(({ proposal }) => proposal.digest)).size).to.equal(1);
    expect(decided).to.have.length(4);
    for (const { certificate } of decided) {
      expect(checkCommitCertificate(certificate, { membership, engine: "pbft" })).to.equal(true);
      const claims = commitCertificateClaims(certificate, { cluster: CLUSTER, membership, engine: "pbft" });
      expect(claims).to.have.length(3);
      expect(claims.every(isGenuine)).to.equal(true);
    }
  });

  for (const n of [4, 7]) {
    it(`costs 2n(n − 1) messages, 2n signatures and at most 2Q − 2 verifications each, with n = ${n}`, () => {
      const room = new Room(Array.from({ length: n }, () => 1));
      let messages = 0;
      room.onTheWay = (_from, _to, message) => {
        messages += 1;
        return message;
      };
      room.propose(first, { height: 1, view: 0, text: "a" });
      room.settle();
      const quorum = Math.floor((2 * n) / 3) + 1;
      expect(messages).to.equal(2 * n * (n - 1));
      expect(room.nodes.reduce((sum, node) => sum + node.signatures, 0)).to.equal(2 * n);
      for (const node of room.nodes) expect(node.verifications).to.be.at.most(2 * quorum - 2);
    });
  }

  it("decides without a member that is silent, and not without two", () => {
    for (const [mute, decides] of [
      [[fourth], true],
      [[third, fourth], false],
    ] as const) {
      const room = new Room([1, 1, 1, 1]);
      room.onTheWay = (from, _to, message) => (mute.some((node) => node === from) ? undefined : message);
      room.propose(first, { height: 1, view: 0, text: "a" });
      room.settle();
      expect(room.effects("decide", first).length > 0).to.equal(decides);
    }
  });

  it("counts by weight: the light members together outweigh nobody", () => {
    const room = new Room([4, 1, 1, 1, 1]);
    room.onTheWay = (from, _to, message) => (from === first && message.type === "commit" ? undefined : message);
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    expect(room.effects("decide", second)).to.have.length(0);
    expect(room.effects("decide", first)).to.have.length(1);
  });

  it("goes on from height to height under one leader", () => {
    const room = new Room([1, 1, 1, 1]);
    for (const height of [1, 2, 3]) {
      room.propose(first, { height, view: 0, text: `block ${height}` });
      room.settle();
    }
    expect(room.effects("decide", fourth).map(({ proposal }) => proposal.header.height)).to.deep.equal([1, 2, 3]);
    const [one, two] = room.effects("decide", fourth);
    expect(two?.proposal.header.parent).to.equal(one?.proposal.digest);
  });

  it("lets no bad signature count, and still decides with the good ones", () => {
    const room = new Room([1, 1, 1, 1]);
    room.onTheWay = (from, _to, message) => {
      if (from !== fourth || (message.type !== "prepare" && message.type !== "commit")) return message;
      return { ...message, signature: new Uint8Array(64) };
    };
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    const voters = room.effects("decide", first).flatMap(({ certificate }) => certificate.votes.map(({ node }) => node));
    expect(voters).to.deep.equal([first, second, third]);
  });
});
