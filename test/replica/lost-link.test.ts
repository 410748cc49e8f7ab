import { expect } from "chai";
import { type NodeId, type Transport, type TransportEvents, ZERO_HASH } from "#base";
import { decodeMessage } from "#consensus";
import { decodeFrame, type Replica } from "#replica";
import { LiveCluster, newDisk, stopped, submitted, until } from "./live-cluster.ts";

/** Longer than a link to whoever leads may be away. */
const GRACE_AND_MORE_MS = 400;

/** Links of a node that report one of them as lost, and what the node said over them. */
class LosingLinks {
  readonly #links: Transport;
  #events: TransportEvents | undefined;
  #lost: NodeId | undefined;
  /** Heights at which the node voted against a proposer. */
  readonly passedOver: Set<number> = new Set();

  constructor(links: Transport) {
    this.#links = links;
  }

  readonly transport: Transport = {
    start: (events, done) => {
      this.#events = events;
      this.#links.start(events, done);
    },
    send: (to, bytes) => {
      const frame = decodeFrame(bytes);
      const message = frame.kind === "consensus" ? decodeMessage(frame.message) : undefined;
      if (message?.type === "prevote" && message.digest === ZERO_HASH) this.passedOver.add(message.height);
      this.#links.send(to, bytes);
    },
    setPeers: (peers) => this.#links.setPeers(peers),
    connectedPeers: () => this.#links.connectedPeers().filter((peer) => peer !== this.#lost),
    stop: (done) => this.#links.stop(done),
  };

  lose(peer: NodeId): void {
    this.#lost = peer;
    this.#events?.onPeerDown(peer, "lost");
  }
}

describe("a node of a Tendermint cluster whose link to the proposer is lost", function () {
  this.timeout(20_000);
  let cluster: LiveCluster;
  let replicas: Replica[];
  let links: LosingLinks;
  let leader: NodeId;
  let height: number;

  beforeEach(async () => {
    cluster = await LiveCluster.make({ engine: "tendermint", nodes: 4 });
    replicas = [];
    for (const node of [2, 3, 4]) replicas.push(await cluster.start(node, await newDisk()));
    const wrap = (own: Transport): Transport => {
      links = new LosingLinks(own);
      return links.transport;
    };
    const observed = await cluster.start(1, await newDisk(), wrap);
    replicas.push(observed);
    const consensus = () => observed.status().consensus;
    // Until somebody else than the observed node is to propose.
    do {
      expect(await submitted(observed, await cluster.command(observed))).to.equal("ordered");
      await until(() => replicas.every((replica) => replica.status().consensus.height === consensus().height));
    } while (consensus().leader === observed.status().node);
    ({ height } = consensus());
    leader = consensus().leader ?? observed.status().node;
    links.passedOver.clear();
  });

  afterEach(async () => {
    for (const replica of replicas) await stopped(replica);
  });

  it("passes over that proposer once the link has been away for a while", async () => {
    links.lose(leader);
    await until(() => links.passedOver.has(height));
  });

  it("passes over nobody else who proposes by then", async () => {
    const [other] = replicas;
    if (other === undefined) throw new Error("four replicas");
    links.lose(leader);
    expect(await submitted(other, await cluster.command(other))).to.equal("ordered");
    await new Promise((resolve) => setTimeout(resolve, GRACE_AND_MORE_MS));
    expect([...links.passedOver].filter((at) => at > height)).to.deep.equal([]);
  });
});
