import { expect } from "chai";
import { silentTelemetry, type Transport } from "#base";
import { Peers } from "#replica";
import { MEMBERSHIP, NODES } from "./four-members.ts";

const transport: Transport = {
  start: (_events, done) => done(),
  send: () => {},
  setPeers: () => {},
  connectedPeers: () => [],
  stop: (done) => done(),
};

describe("what peers say of their height", () => {
  it("counts while they are linked: a liar that was removed has nobody asked for blocks for ever", () => {
    const [self, liar, other] = NODES;
    const peers = new Peers({ membership: MEMBERSHIP, self, transport, telemetry: silentTelemetry });
    peers.noteTip(liar, { height: 2 ** 40, votes: true });
    peers.noteTip(other, { height: 7, votes: true });
    expect(peers.highest()).to.deep.equal({ height: 2 ** 40, peer: liar });
    peers.noteAway(liar);
    expect(peers.highest()).to.deep.equal({ height: 7, peer: other });
  });
});
