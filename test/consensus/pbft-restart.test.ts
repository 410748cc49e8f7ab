import { expect } from "chai";
import type { NodeId } from "#base";
import { nodeId, Room } from "./core-kit.ts";

const [first, second, third, fourth] = [1, 2, 3, 4].map(nodeId) as [NodeId, NodeId, NodeId, NodeId];

describe("a PBFT member that restarts", () => {
  it("stands where it stood: it votes again with the same bytes and decides", () => {
    const room = new Room([1, 1, 1, 1]);
    room.onTheWay = (_from, _to, message) => (message.type === "commit" ? undefined : message);
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    const before = room.effects("broadcast", third).map(({ message }) => message);
    room.onTheWay = () => undefined;
    for (const id of [first, second, third, fourth]) room.restart(id);
    const after = room.effects("broadcast", third).map(({ message }) => message);
    expect(after.slice(before.length).filter(({ type }) => type === "prepare" || type === "commit")).to.deep.equal(before);
    room.onTheWay = (_from, _to, message) => message;
    for (const id of [first, second, third, fourth]) room.feed(id, { type: "timer", name: "retransmit" });
    room.settle();
    for (const id of [first, second, third, fourth]) expect(room.effects("decide", id), id).to.have.length(1);
  });

  it("still knows the view that it entered after a lower view's commits decided the height (G2a)", () => {
    const room = new Room([1, 1, 1, 1]);
    // All commit in view 0, and only the first hears enough of it; the others enter view 1 before the commits come.
    const held: Parameters<Room["onTheWay"]>[] = [];
    room.onTheWay = (from, to, message) => {
      if (message.type !== "commit" || message.view > 0 || to === first) return message;
      held.push([from, to, message]);
      return undefined;
    };
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    room.onTheWay = (from, to, message) => (from === first || to === first || message.type === "propose" ? undefined : message);
    room.timeOut([second, third, fourth]);
    expect(room.node(third).core.snapshot()).to.include({ view: 1, height: 1 });
    room.onTheWay = () => undefined;
    for (const [from, to, message] of held) if (to === third) room.feed(third, { type: "message", from, message });
    expect(room.node(third).tip).to.include({ height: 1, view: 0 });
    expect(room.node(third).core.snapshot()).to.include({ view: 1, height: 2, phase: "idle" });
    room.restart(third);
    expect(room.node(third).core.snapshot()).to.include({ view: 1, height: 2, phase: "idle" });
    expect(room.node(third).records.has("new-view")).to.equal(true);
  });

  it("lets the new-view go once its view has decided a height", () => {
    const room = new Room([1, 1, 1, 1]);
    room.onTheWay = (from, _to, message) => (from === first ? undefined : message);
    room.timeOut([second, third, fourth]);
    room.propose(second, { height: 1, view: 1, text: "b" });
    room.settle();
    expect([...room.node(third).records.keys()]).to.deep.equal([]);
    room.restart(third);
    expect(room.node(third).core.snapshot()).to.include({ view: 1, height: 2, phase: "idle" });
  });

  it("still serves every body that it voted for at an undecided height (G2b)", () => {
    const room = new Room([1, 1, 1, 1]);
    room.onTheWay = (_from, _to, message) => (message.type === "prepare" || message.type === "commit" ? undefined : message);
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    const digest = [...room.node(third).records.keys()].map((key) => key.split("/")[2]).find((part) => part !== undefined);
    room.timeOut([second, third, fourth]);
    room.propose(second, { height: 1, view: 1, text: "b" });
    room.settle();
    expect([...room.node(third).records.keys()].filter((key) => key.startsWith("proposal/"))).to.have.length(2);
    room.restart(third);
    const asked = { type: "fetch-proposal" as const, height: 1, digest: digest as never };
    room.feed(third, { type: "message", from: fourth, message: asked });
    const bodies = room.effects("send", third).filter(({ message }) => message.type === "proposal-body");
    expect(bodies).to.have.length(1);
  });
});
