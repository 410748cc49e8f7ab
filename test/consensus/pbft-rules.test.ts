import { expect } from "chai";
import {
  type BlockHeader,
  encodeHeader,
  encodeVoteBody,
  fromHex,
  headerDigest,
  type NodeId,
  parseHeader,
  signedBytes,
  VOTE_TYPE,
} from "#base";
import type { ConsensusMessage, Propose } from "#consensus";
import { CLUSTER, hasher, nodeId, Room, sign } from "./core-kit.ts";

const [first, second, third, fourth] = [1, 2, 3, 4].map(nodeId) as [NodeId, NodeId, NodeId, NodeId];
const ALL = [first, second, third, fourth];

/** The proposal with another header, or another place, under the signature of whom it names. */
function changed(message: Propose, header: Partial<BlockHeader>, about: { by?: NodeId; view?: number } = {}): Propose {
  const { by = first, view = message.view } = about;
  const headerBytes = encodeHeader({ ...parseHeader(message.headerBytes), ...header });
  const slot = { cluster: fromHex(CLUSTER), epoch: 0, height: message.height, view, digest: fromHex(headerDigest(hasher, headerBytes)) };
  const body = encodeVoteBody({ ...slot, type: VOTE_TYPE.pbftPropose, validRound: -1 });
  return { ...message, view, headerBytes, signature: sign(by, signedBytes("proposal", body)) };
}

/** How many members prepared for what the leader's proposal was made into on its way. */
function preparesFor(change: (message: Propose) => Propose): number {
  const room = new Room([1, 1, 1, 1]);
  room.onTheWay = (_from, _to, message) => (message.type === "propose" ? change(message) : message);
  room.propose(first, { height: 1, view: 0, text: "a" });
  room.settle();
  return room.effects("broadcast").filter(({ message }) => message.type === "prepare").length;
}

describe("the rules of PBFT", () => {
  it("P1: nobody prepares for a proposal that is out of place", () => {
    expect(preparesFor((message) => changed(message, {}))).to.equal(3);
    const other = "e".repeat(64) as never;
    const lies: Partial<BlockHeader>[] = [
      { cluster: other },
      { epoch: 1 },
      { protocol: 2 },
      { height: 2 },
      { parent: other },
      { timeUs: 0 },
      { originView: 1 },
      { proposer: second },
      { certified: { height: 1, size: 0, root: other } },
    ];
    for (const lie of lies)
      expect(
        preparesFor((message) => changed(message, lie)),
        JSON.stringify(lie),
      ).to.equal(0);
    expect(preparesFor((message) => changed(message, { proposer: second }, { by: second }))).to.equal(0);
    expect(preparesFor((message) => changed(message, {}, { view: 4 }))).to.equal(0);
    expect(preparesFor((message) => ({ ...message, signature: new Uint8Array(64) }))).to.equal(0);
  });

  it("P1: what is refused once is looked at again when it comes again", () => {
    const room = new Room([1, 1, 1, 1]);
    const sent: Propose[] = [];
    room.onTheWay = (_from, _to, message) => {
      if (message.type !== "propose") return undefined;
      sent.push(message);
      return { ...message, signature: new Uint8Array(64) };
    };
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    const [good] = sent;
    if (good === undefined) throw new Error("it was sent");
    room.feed(third, { type: "message", from: first, message: good });
    expect(room.effects("broadcast", third).map(({ message }) => message.type)).to.deep.equal(["prepare"]);
  });

  it("P1: what was found valid once its view is over gets no prepare, and is not held for accepted", () => {
    const room = new Room([1, 1, 1, 1]);
    room.holdsChecks = (node) => node === third;
    room.onTheWay = (_from, to, message) => (message.type === "commit" && to !== third ? undefined : message);
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    room.onTheWay = (_from, _to, message) => (message.type === "new-view" || message.type === "commit" ? undefined : message);
    room.timeOut(ALL);
    room.signHeld();
    expect(room.node(third).core.snapshot()).to.include({ view: 1, phase: "changing-view" });
    expect(room.effects("append", third).filter(({ record }) => record.key.startsWith("proposal/"))).to.deep.equal([]);
    expect(room.effects("broadcast", third).filter(({ message }) => message.type === "prepare")).to.deep.equal([]);
  });

  it("P6: nothing is signed at a height that is decided", () => {
    const room = new Room([1, 1, 1, 1]);
    const sent: ConsensusMessage[] = [];
    room.onTheWay = (_from, _to, message) => {
      sent.push(message);
      return message;
    };
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    const before = room.node(third).signatures;
    for (const message of sent) room.feed(third, { type: "message", from: first, message });
    room.settle();
    expect(room.node(third).tip.height).to.equal(1);
    expect(room.node(third).signatures).to.equal(before);
  });

  it("V1: the wait doubles with each view that decides nothing, up to its cap", () => {
    const room = new Room([1, 1, 1, 1]);
    const delays = (): number[] => room.effects("set-timer", third).flatMap(({ name, delayMs }) => (name === "progress" ? [delayMs] : []));
    // New leaders are never heard, so that view follows view.
    room.onTheWay = (_from, _to, message) => (message.type === "new-view" ? undefined : message);
    for (const _view of [1, 2, 3]) room.timeOut([third, fourth, first, second]);
    expect(Math.max(...delays())).to.be.at.least(4 * 800);
    expect(Math.max(...delays())).to.be.at.most(10_000);
  });

  it("V7: a leader that is bound to a value that it never saw asks for it, and proposes it unchanged", () => {
    const room = new Room([1, 1, 1, 1]);
    room.onTheWay = (_from, to, message) =>
      message.type === "commit" || (message.type === "propose" && to === second) ? undefined : message;
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    room.onTheWay = (_from, _to, message) => message;
    room.timeOut(ALL);
    expect(room.effects("broadcast", second).some(({ message }) => message.type === "fetch-proposal")).to.equal(true);
    const decided = ALL.map((id) => room.effects("decide", id)[0]);
    expect(new Set(decided.map((effect) => effect?.proposal.digest)).size).to.equal(1);
    expect(decided[2]?.certificate.view).to.equal(1);
    expect(decided[2]?.proposal.header.originView).to.equal(0);
  });

  it("V8 and V9: who asks for a view at a height that others decided is sent the block, and who hears of later heights asks for blocks", () => {
    const room = new Room([1, 1, 1, 1]);
    room.onTheWay = (_from, to, message) => (to === third ? undefined : message);
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    room.onTheWay = (_from, _to, message) => message;
    room.timeOut([third]);
    for (const id of [first, second, fourth])
      expect(room.effects("send-block", id)).to.deep.include({ type: "send-block", to: third, height: 1 });
    room.timeOut([first]);
    expect(room.effects("request-sync", third).at(-1)).to.deep.equal({ type: "request-sync", fromHeight: 1, peers: [first] });
  });
});
