import { expect } from "chai";
import { type NodeId, parseGenesis, parseNodeId, type Transport, type TransportEvents } from "#base";
import { loadSodium, nodeHasher } from "#crypto";
import { systemClock, systemTimers } from "#gateway";
import { encodeFrame, type Frame } from "#replica";
import { ACTORS, Liar } from "#simulations";
import { developmentGenesis, developmentNodes } from "../development-cluster.ts";

const PEER = parseNodeId("node-2");
const FRAMES: readonly Frame[] = [
  { kind: "tip", height: 7, certifiedHeight: 6, floor: 0, votes: true },
  { kind: "sync-request", fromHeight: 3 },
  { kind: "commands", commands: [new Uint8Array(8)] },
  { kind: "consensus", message: new Uint8Array(40) },
];

/** A liar between a replica and links that are both in the test's hands. */
interface Between {
  readonly liar: Liar;
  readonly mouth: Transport;
  readonly said: Uint8Array[];
  readonly heard: Uint8Array[];
  arrive(from: NodeId, frame: Uint8Array): void;
}

async function liarBetween(): Promise<Between> {
  const sodium = await loadSodium();
  const identities = developmentNodes(sodium, 4);
  const [identity] = identities;
  const { bytes, cluster } = developmentGenesis(sodium, identities);
  const [said, heard]: [Uint8Array[], Uint8Array[]] = [[], []];
  let events: TransportEvents | undefined;
  const links: Transport = {
    start: (listener, done) => {
      events = listener;
      done();
    },
    send: (_to, frame) => void said.push(frame),
    setPeers: () => {},
    connectedPeers: () => [PEER],
    stop: (done) => done(),
  };
  const liar = new Liar({ hasher: nodeHasher, clock: systemClock, timers: systemTimers });
  const mouth = liar.interpose(links, { identity, ed25519: sodium, genesis: parseGenesis(bytes), cluster });
  mouth.start({ onFrame: (_from, frame) => void heard.push(frame), onPeerUp: () => {}, onPeerDown: () => {} }, () => {});
  return { liar, mouth, said, heard, arrive: (from, frame) => events?.onFrame(from, frame) };
}

describe("a liar in front of real links", () => {
  let between: Between;
  beforeEach(async () => {
    between = await liarBetween();
  });
  afterEach(() => new Promise<void>((resolve) => between.mouth.stop(resolve)));

  it("changes nothing before it is told to lie, nor after it is honest again", () => {
    const frames = FRAMES.map(encodeFrame);
    const speakAndHear = (): void => {
      for (const frame of frames) between.mouth.send(PEER, frame);
      for (const frame of frames) between.arrive(PEER, frame);
    };
    speakAndHear();
    expect([between.said, between.heard]).to.deep.equal([frames, frames]);
    between.liar.become("silent");
    speakAndHear();
    expect([between.said, between.heard], "silent").to.deep.equal([frames, [...frames, ...frames]]);
    expect(between.liar.become("honest"), "deviations").to.equal(frames.length);
    speakAndHear();
    expect(between.said).to.deep.equal([...frames, ...frames]);
  });

  it("does not fall over what it hears or says, in any of its ways", () => {
    for (const { kind } of ACTORS) {
      between.said.length = 0;
      between.liar.become(kind);
      for (const frame of [...FRAMES.map(encodeFrame), new Uint8Array(0), new Uint8Array(300).fill(7)]) {
        between.mouth.send(PEER, frame);
        between.arrive(PEER, frame);
      }
      expect(
        between.said.every(({ length }) => length > 0),
        `${kind} says nothing that links cannot carry`,
      ).to.equal(true);
    }
  });

  it("floods whether the node speaks or not, with nothing that links cannot carry", async () => {
    between.liar.become("flood");
    between.mouth.send(PEER, encodeFrame({ kind: "tip", height: 7, certifiedHeight: 6, floor: 0, votes: true }));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(between.said.length).to.be.greaterThan(50);
    expect(between.said.every(({ length }) => length > 0)).to.equal(true);
    expect(between.liar.become("honest")).to.be.greaterThan(0);
  });

  it("lies in no way that has no name", () => {
    expect(() => between.liar.become("nonsense")).to.throw(/silent, selective/);
  });
});
