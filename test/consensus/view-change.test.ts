import { expect } from "chai";
import { encodeVoteBody, fromHex, type NodeId, signedBytes, VOTE_TYPE } from "#base";
import { evidenceClaims, pbftRules } from "#consensus";
import { CLUSTER, isGenuine, membershipOf, nodeId, Room, sign } from "./core-kit.ts";

const [first, second, third, fourth] = [1, 2, 3, 4].map(nodeId) as [NodeId, NodeId, NodeId, NodeId];

describe("the view change of PBFT", () => {
  it("replaces a silent leader, and the next one orders", () => {
    const room = new Room([1, 1, 1, 1]);
    room.onTheWay = (from, _to, message) => (from === first ? undefined : message);
    room.timeOut([second, third, fourth]);
    expect(room.node(second).core.snapshot()).to.include({ view: 1, leader: second, phase: "idle" });
    room.propose(second, { height: 1, view: 1, text: "b" });
    room.settle();
    expect(room.effects("decide", third)).to.have.length(1);
    expect(room.effects("decide", third)[0]?.certificate.view).to.equal(1);
  });

  it("is joined by a member whose own patience lasts, once others of one honest weight ask", () => {
    const room = new Room([1, 1, 1, 1]);
    room.timeOut([second]);
    expect(room.node(third).core.snapshot().view).to.equal(0);
    room.timeOut([fourth]);
    expect(room.node(third).core.snapshot().view).to.equal(1);
  });

  it("keeps what may have been decided: a prepared value is proposed again with its bytes unchanged", () => {
    const room = new Room([1, 1, 1, 1]);
    room.onTheWay = (_from, to, message) => (message.type === "commit" && to !== first ? undefined : message);
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    const [alone] = room.effects("decide", first);
    // The one that decided dies before it can tell.
    room.onTheWay = (from, to, message) => (from === first || to === first ? undefined : message);
    room.timeOut([second, third, fourth]);
    for (const id of [second, third, fourth]) {
      const [decided] = room.effects("decide", id);
      expect(decided?.proposal.digest).to.equal(alone?.proposal.digest);
      expect(decided?.certificate.view).to.equal(1);
    }
  });

  it("would lose it without the rule that the test above stands on", () => {
    const room = new Room([1, 1, 1, 1], { ...pbftRules, demandedChain: () => [] });
    room.onTheWay = (_from, to, message) => (message.type === "commit" && to !== first ? undefined : message);
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    room.onTheWay = (from, to, message) => (from === first || to === first ? undefined : message);
    room.timeOut([second, third, fourth]);
    expect(room.effects("decide", third)).to.have.length(0);
    expect(room.effects("want-proposal", second)).to.have.length(1);
  });

  it("counts members that went further as gone from the lower views", () => {
    const room = new Room([1, 1, 1, 1]);
    room.onTheWay = (from, to, message) => (from === second || to === second ? undefined : message);
    room.timeOut([first, third, fourth]);
    room.onTheWay = () => undefined;
    room.timeOut([third, fourth]);
    room.onTheWay = (from, _to, message) => (from === first ? undefined : message);
    for (const id of [third, fourth]) room.feed(id, { type: "timer", name: "retransmit" });
    room.settle();
    expect(room.node(second).core.snapshot().view).to.equal(2);
    expect(room.node(second).core.snapshot().leader).to.equal(third);
    expect(room.node(second).core.snapshot().phase).to.equal("idle");
  });

  it("has everybody but the leader show what the leader signed, once", () => {
    const room = new Room([1, 1, 1, 1]);
    room.timeOut([second, third, fourth]);
    for (const id of [first, second, third, fourth]) room.feed(id, { type: "timer", name: "retransmit" });
    room.settle();
    const shown = (id: NodeId): unknown[] =>
      room
        .effects("broadcast", id)
        .flatMap(({ message }) => (message.type === "heard-new-view" ? [[message.view, message.signature]] : []));
    const [signed] = room.effects("broadcast", second).flatMap(({ message }) => (message.type === "new-view" ? [message.signature] : []));
    expect([first, third, fourth].map(shown)).to.deep.equal(Array.from({ length: 3 }, () => [[1, signed]]));
    expect(shown(second)).to.deep.equal([]);
  });

  it("votes in no lower view than the one that was promised", () => {
    const room = new Room([1, 1, 1, 1]);
    room.timeOut([second, third, fourth]);
    const before = room.node(third).signatures;
    room.propose(first, { height: 1, view: 0, text: "late" });
    room.settle();
    expect(room.node(third).signatures).to.equal(before);
  });
});

describe("a member that says two things in one slot", () => {
  it("is named by evidence that anyone can check, once", () => {
    const room = new Room([1, 1, 1, 1]);
    const membership = membershipOf([1, 1, 1, 1]);
    room.onTheWay = (_from, _to, message) => (message.type === "commit" ? undefined : message);
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    const other = "f".repeat(64);
    const vote = { type: "prepare", epoch: 0, height: 1, view: 0, digest: other, signature: signedPrepare(other) } as never;
    for (const _again of [1, 2]) room.feed(second, { type: "message", from: fourth, message: vote });
    const evidence = room.effects("evidence", second).map((effect) => effect.evidence);
    expect(evidence.map(({ kind, offender }) => ({ kind, offender }))).to.deep.equal([{ kind: "double-vote", offender: fourth }]);
    const claims = evidence.flatMap((item) => evidenceClaims(item, { cluster: CLUSTER, membership }) ?? []);
    expect(claims).to.have.length(2);
    expect(claims.every(isGenuine)).to.equal(true);
  });

  it("is named once for a height, in however many views it contradicts itself", () => {
    const room = new Room([1, 1, 1, 1]);
    for (let view = 1; view <= 100; view++) {
      for (const digest of ["e".repeat(64), "f".repeat(64)]) {
        const vote = { type: "prepare", epoch: 0, height: 1, view, digest, signature: signedPrepare(digest, view) } as never;
        room.feed(second, { type: "message", from: fourth, message: vote });
      }
    }
    expect(room.effects("evidence", second)).to.have.length(1);
  });

  it("is not named when the second statement is forged", () => {
    const room = new Room([1, 1, 1, 1]);
    room.onTheWay = (_from, _to, message) => (message.type === "commit" ? undefined : message);
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    const vote = { type: "prepare", epoch: 0, height: 1, view: 0, digest: "f".repeat(64), signature: new Uint8Array(64) } as never;
    room.feed(second, { type: "message", from: fourth, message: vote });
    expect(room.effects("evidence")).to.have.length(0);
  });
});

function signedPrepare(digest: string, view = 0): Uint8Array {
  return sign(fourth, prepareMessage(digest, view));
}

function prepareMessage(digest: string, view: number): Uint8Array {
  const slot = { epoch: 0, height: 1, view, type: VOTE_TYPE.pbftPrepare, validRound: -1 };
  return signedBytes("vote", encodeVoteBody({ ...slot, cluster: fromHex(CLUSTER), digest: fromHex(digest) }));
}
