import { expect } from "chai";
import { encodeViewChangeBody, type NodeId, signedBytes, ZERO_HASH } from "#base";
import { type ConsensusMessage, guardKey, type ViewChange, viewChangeStatement } from "#consensus";
import { CLUSTER, hasher, nodeId, Room, sign } from "./core-kit.ts";

const [first, second, third, fourth] = [1, 2, 3, 4].map(nodeId) as [NodeId, NodeId, NodeId, NodeId];

const NONE = new Uint8Array(64);

/** Nothing passes to or from the nodes. */
function cutOff(...nodes: readonly NodeId[]): Room["onTheWay"] {
  return (from, to, message) => (nodes.includes(from) || nodes.includes(to) ? undefined : message);
}

describe("a member that was away while views went by", () => {
  it("joins a view however far ahead it is, once members of one honest weight ask for it", () => {
    const room = new Room([1, 1, 1, 1]);
    room.onTheWay = cutOff(fourth);
    const views = 1_010;
    for (const id of [first, second, third]) {
      const asked = { purpose: "view-change" as const, epoch: 0, height: 2, view: views, phase: 0, digest: ZERO_HASH };
      const promise = { intent: asked, signature: new Uint8Array(64) };
      room.node(id).guardRecords.set(guardKey(promise), promise);
      room.restart(id);
    }
    for (const id of [first, second, third]) room.feed(id, { type: "timer", name: "retransmit" });
    room.settle();
    expect(room.node(first).core.snapshot()).to.include({ view: views, phase: "idle" });
    // The third helped to get there, and says nothing from now on: the other three are a quorum only together.
    room.onTheWay = cutOff(third);
    room.timeOut([first, second]);
    expect(room.node(fourth).core.snapshot()).to.include({ view: views + 1, leader: fourth, phase: "idle" });
    room.propose(fourth, { height: 1, view: views + 1, text: "a" });
    room.settle();
    expect(room.effects("decide", first)).to.have.length(1);
  });
});

describe("a member that enters a view by a certificate, with two heights in flight", () => {
  type Heard = { readonly from: NodeId; readonly message: ConsensusMessage };

  /**
   * Heights 1 and 2 are prepared everywhere in view 0 and decided nowhere; the others go on to view 1, which demands both. The fourth hears
   * nothing of it but the commits of height 1.
   */
  function enteredByCertificate(): { readonly room: Room; readonly commits: Heard[]; readonly ofTheView: Heard[] } {
    const room = new Room([1, 1, 1, 1], undefined, "pbft", 2);
    const commits: Heard[] = [];
    const ofTheView: Heard[] = [];
    room.onTheWay = (from, to, message) => {
      if (message.type !== "commit") return message;
      if (message.height === 2 && to === fourth) commits.push({ from, message });
      return undefined;
    };
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.propose(first, { height: 2, view: 0, text: "b" });
    room.settle();
    room.onTheWay = (from, to, message) => {
      if (message.type === "commit") return message.height === 1 ? message : undefined;
      if (to !== fourth) return message;
      ofTheView.push({ from, message });
      return undefined;
    };
    room.timeOut([first, second, third]);
    return { room, commits, ofTheView };
  }

  function hear(room: Room, heard: readonly Heard[]): void {
    for (const { from, message } of heard) room.feed(fourth, { type: "message", from, message });
    room.settle();
  }

  it("keeps nothing of the view that it left", () => {
    const { room } = enteredByCertificate();
    expect(room.node(fourth).core.snapshot()).to.include({ height: 2, view: 1, phase: "idle" });
  });

  it("learns what the view demands from its new-view, and votes for that", () => {
    const { room, ofTheView } = enteredByCertificate();
    // The third helped, and says nothing from now on.
    room.onTheWay = cutOff(third);
    hear(room, ofTheView);
    room.feed(second, { type: "timer", name: "retransmit" });
    room.settle();
    expect(room.effects("decide", first).map(({ certificate }) => certificate.height)).to.deep.equal([1, 2]);
  });

  it("is still in it after a restart, also where a lower view decided its tip", () => {
    const { room, commits } = enteredByCertificate();
    hear(room, commits);
    expect(room.effects("decide", fourth).map(({ certificate }) => certificate.view)).to.deep.equal([1, 0]);
    room.onTheWay = (_from, _to, message) => (message.type === "commit" && message.height > 2 ? undefined : message);
    for (const id of [first, second, third]) room.feed(id, { type: "timer", name: "retransmit" });
    room.settle();
    room.propose(second, { height: 3, view: 1, text: "c" });
    room.settle();
    expect(room.node(fourth).core.snapshot()).to.include({ height: 3, view: 1, phase: "prepared" });
    // The leader has no time to send its new-view again.
    room.onTheWay = cutOff(second);
    room.restart(fourth);
    expect(room.node(fourth).core.snapshot()).to.include({ height: 3, view: 1, phase: "prepared" });
  });
});

/** A view change of the first height, by its sender's key. */
function asking(sender: NodeId, view: number): ViewChange {
  return signedAnew({ type: "view-change", epoch: 0, height: 1, view, sender, parent: ZERO_HASH, prepared: [], signature: NONE });
}

/** The liar's view change, signed anew, that says nothing of what its sender prepared. */
function withoutCertificates(message: ViewChange): ViewChange {
  return signedAnew({ ...message, prepared: [] });
}

function signedAnew(said: ViewChange): ViewChange {
  const { sender: node, epoch } = said;
  const body = encodeViewChangeBody({ cluster: CLUSTER, epoch, node }, viewChangeStatement(hasher, said));
  return { ...said, signature: sign(node, signedBytes("view-change", body)) };
}

describe("a liar that asks for the lowest view of all", () => {
  it("holds nobody back there when other members of one honest weight went further", () => {
    const room = new Room([1, 2, 2, 2, 3]);
    const [away, heavy] = [third, nodeId(5)];
    room.onTheWay = () => undefined;
    for (const [from, view] of [
      [first, 1],
      [second, 9],
      [heavy, 9],
    ] as const)
      room.feed(away, { type: "message", from, message: asking(from, view) });
    expect(room.node(away).core.snapshot()).to.include({ view: 9, phase: "changing-view" });
  });
});

describe("a height that many leaders proposed for in vain", () => {
  /** The first and the others but the fourth go through views in which each proposal is accepted and none is prepared; view 0's was, for the first alone. */
  function afterViews(views: number): Room {
    const room = new Room([1, 1, 1, 1]);
    const isCut = cutOff(fourth);
    room.onTheWay = (from, to, message) => {
      if (message.type === "commit" || (message.type === "prepare" && (to !== first || message.view > 0))) return undefined;
      if (from === first && message.type === "new-view") return undefined;
      if (from === first && message.type === "view-change") return withoutCertificates(message);
      return isCut(from, to, message);
    };
    room.propose(first, { height: 1, view: 0, text: "block 0" });
    room.settle();
    for (let view = 1; view <= views; view++) {
      room.timeOut([first, second, third]);
      const { leader } = room.node(second).core.snapshot();
      if (leader !== undefined) room.propose(leader, { height: 1, view, text: `block ${view}` });
      room.settle();
    }
    return room;
  }

  it("leaves few of their blocks in memory and on the disk", () => {
    const room = afterViews(60);
    const kept = [...room.node(second).records.keys()].filter((key) => key.startsWith("proposal/"));
    expect(kept.length).to.be.within(1, 8);
  });

  it("needs none that went: a leader passes over a certificate that others' view changes do without", () => {
    const room = afterViews(60);
    // Now the liar shows its certificate before anybody else speaks, and the block to nobody.
    room.onTheWay = (from, _to, message) => (from === first && message.type !== "view-change" ? undefined : message);
    for (const id of [first, second, third, fourth]) room.timeOut([id]);
    for (let more = 0; more < 4 && room.effects("decide", third).length === 0; more++) {
      const { leader, view } = room.node(second).core.snapshot();
      if (leader !== undefined) room.propose(leader, { height: 1, view, text: "last" });
      room.settle();
      room.timeOut(leader === first ? [first, second, third, fourth] : []);
    }
    expect(room.effects("decide", third)).to.have.length(1);
  });
});
