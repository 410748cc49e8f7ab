import { expect } from "chai";
import {
  ByteWriter,
  concatBytes,
  encodeHeader,
  encodeVoteBody,
  fromHex,
  headerDigest,
  holdsOneHonest,
  type NodeId,
  parseHeader,
  signedBytes,
  totalWeight,
  VOTE_TYPE,
  weightOf,
  ZERO_HASH,
} from "#base";
import {
  type ConsensusMessage,
  evidenceClaims,
  type NewView,
  type PbftRules,
  type Polka,
  pbftRules,
  type ViewChange,
  viewChangeSignedBody,
} from "#consensus";
import { CLUSTER, hasher, isGenuine, nodeId, Room, sign } from "./core-kit.ts";
import { RaftCluster } from "./raft-kit.ts";

// Bugs that other systems had (docs/TESTING.md, Known bugs of other systems); what is not here has its test beside the rule that it breaks.

const [first, second, third, fourth] = [1, 2, 3, 4].map(nodeId) as [NodeId, NodeId, NodeId, NodeId];
const ALL = [first, second, third, fourth];

/** A room in which all have prepared a value at height 1, and nobody decided it. */
function prepared(): Room {
  const room = new Room([1, 1, 1, 1]);
  room.onTheWay = (_from, _to, message) => (message.type === "commit" ? undefined : message);
  room.propose(first, { height: 1, view: 0, text: "a" });
  room.settle();
  return room;
}

/** What a liar made of its view change, under its own good signature. */
function resigned(message: ViewChange, change: Partial<ViewChange>): ViewChange {
  const lie = { ...message, ...change };
  const body = viewChangeSignedBody({ cluster: CLUSTER, hasher }, lie);
  return { ...lie, signature: sign(lie.sender, signedBytes("view-change", body)) };
}

function resignedNewView(message: NewView, viewChanges: readonly ViewChange[]): NewView {
  const { epoch, height, view } = message;
  const writer = new ByteWriter().u64(epoch).u64(height).u64(view).u32(viewChanges.length);
  for (const { sender, signature } of viewChanges) writer.text(sender).raw(signature);
  const signature = sign(second, signedBytes("new-view", concatBytes(fromHex(CLUSTER), writer.finish())));
  return { ...message, viewChanges, signature };
}

/** What all prepared again in the next view. */
function preparedInViewOne(): ViewChange["prepared"] {
  const room = prepared();
  room.timeOut(ALL);
  room.timeOut([fourth]);
  const asked = room.effects("broadcast", fourth).flatMap(({ message }) => (message.type === "view-change" ? message : []));
  return asked.at(-1)?.prepared ?? [];
}

function lies(message: ViewChange): readonly (readonly [string, ViewChange])[] {
  const [certificate] = message.prepared;
  if (certificate === undefined) throw new Error("a value is prepared");
  const { votes } = certificate;
  const [vote] = votes;
  const withCertificate = (change: object): ViewChange => resigned(message, { prepared: [{ ...certificate, ...change }] });
  return [
    ["a broken signature", { ...message, signature: new Uint8Array(64) }],
    ["too few prepares", withCertificate({ votes: votes.slice(1) })],
    ["one prepare twice", withCertificate({ votes: [vote, vote] })],
    ["the leader's own prepare", withCertificate({ votes: [{ node: first, signature: vote?.signature }, ...votes.slice(1)] })],
    ["a forged prepare", withCertificate({ votes: [{ node: vote?.node, signature: new Uint8Array(64) }, ...votes.slice(1)] })],
    ["another height", withCertificate({ height: 2 })],
    ["another view", withCertificate({ view: 1 })],
    ["the view that is asked for, in truth", resigned(message, { prepared: preparedInViewOne() })],
    ["another digest", withCertificate({ digest: "f".repeat(64) })],
    ["another header", withCertificate({ headerBytes: encodeHeader({ ...parseHeader(certificate.headerBytes), timeUs: 9_999 }) })],
    ["another tip", resigned(message, { parent: "e".repeat(64) as never })],
  ];
}

describe("a view change that lies", () => {
  /** The senders in the new-view when the fourth member's view change comes first, and is changed on its way. */
  function sendersWith(change: (message: ViewChange) => ViewChange | undefined): readonly NodeId[] {
    const room = prepared();
    const value = room.effects("broadcast", second).find(({ message }) => message.type === "prepare")?.message;
    room.onTheWay = (from, _to, message) => (from === fourth && message.type === "view-change" ? change(message) : message);
    room.timeOut([fourth]);
    room.timeOut([first, second, third]);
    for (const id of [first, second, third]) {
      const [decided] = room.effects("decide", id);
      expect(decided?.proposal.digest, id).to.equal(value?.type === "prepare" ? value.digest : "");
      expect(decided?.certificate.view).to.equal(1);
    }
    const [newView] = room.effects("broadcast", second).flatMap(({ message }) => (message.type === "new-view" ? message : []));
    return newView?.viewChanges.map(({ sender }) => sender) ?? [];
  }

  it("would count if it were true", () => {
    expect(sendersWith((message) => message)).to.include(fourth);
    expect(sendersWith((message) => resigned(message, {}))).to.include(fourth);
  });

  for (const [at, [name]] of lies(anyViewChange()).entries()) {
    it(`is dropped alone and masks no prepared value of the others: ${name} (concord-bft PR 50)`, () => {
      expect(sendersWith((message) => lies(message)[at]?.[1])).not.to.include(fourth);
    });
  }
});

/** The fourth member's view change after all prepared a value. */
function anyViewChange(): ViewChange {
  const room = prepared();
  room.onTheWay = () => undefined;
  room.timeOut([fourth]);
  const [message] = room.effects("broadcast", fourth).flatMap(({ message: said }) => (said.type === "view-change" ? said : []));
  if (message === undefined) throw new Error("it asked for a view");
  return message;
}

describe("a new-view", () => {
  it("is refused without the view changes of a quorum, without its leader's own, or with one of them twice, and its leader is waited for no longer", () => {
    for (const pick of [
      (all: readonly ViewChange[]) => all.slice(0, 2),
      ([a, b]: readonly ViewChange[]) => [a, b, b] as ViewChange[],
      ([a, b, c]: readonly ViewChange[]) => [a, b, c, c] as ViewChange[],
      (_all: readonly ViewChange[], asked: readonly ViewChange[]) => asked.filter(({ sender }) => sender !== second),
      (all: readonly ViewChange[]) => all.map((one, at) => (at === 0 ? resigned(one, { parent: "e".repeat(64) as never }) : one)),
    ]) {
      const room = prepared();
      const asked = (): ViewChange[] => room.effects("broadcast").flatMap(({ message }) => (message.type === "view-change" ? message : []));
      room.onTheWay = (from, to, message) => {
        if (from === second && message.type === "new-view") return resignedNewView(message, pick(message.viewChanges, asked()));
        return to === second || message.type === "view-change" ? message : undefined;
      };
      room.timeOut(ALL);
      for (const id of [first, third, fourth]) expect(room.node(id).core.snapshot(), id).to.include({ view: 2 });
      expect(room.effects("decide")).to.deep.equal([]);
    }
  });

  it("binds its leader to what it demands: another value gets no prepare (FISCO-BCOS PR 5168)", () => {
    const room = prepared();
    room.onTheWay = (from, _to, message) => {
      if (from !== second || message.type !== "propose") return message;
      const headerBytes = encodeHeader({ ...parseHeader(message.headerBytes), timeUs: 9_999 });
      const slot = {
        cluster: fromHex(CLUSTER),
        epoch: 0,
        height: 1,
        view: 1,
        digest: fromHex(headerDigest(hasher, headerBytes)),
        validRound: -1,
      };
      const signature = sign(second, signedBytes("proposal", encodeVoteBody({ ...slot, type: VOTE_TYPE.pbftPropose })));
      return { ...message, headerBytes, signature };
    };
    room.timeOut(ALL);
    const prepares = room.effects("broadcast").flatMap(({ message }) => (message.type === "prepare" && message.view === 1 ? message : []));
    expect(prepares).to.deep.equal([]);
  });

  it("of a lower view changes nothing", () => {
    const room = prepared();
    const kept: ConsensusMessage[] = [];
    room.onTheWay = (_from, _to, message) => {
      if (message.type === "new-view") kept.push(message);
      return message.type === "view-change" ? message : undefined;
    };
    room.timeOut(ALL);
    room.timeOut(ALL);
    room.onTheWay = () => undefined;
    const [stale] = kept;
    if (stale === undefined) throw new Error("the second leader had a quorum");
    const before = room.node(third).core.snapshot();
    room.feed(third, { type: "message", from: second, message: stale });
    expect(before.view).to.be.greaterThan(1);
    expect(room.node(third).core.snapshot()).to.deep.equal(before);
  });

  /** What is decided after a view change of which the receivers of the new-view saw more than its leader. */
  function decidedInTwoStories(rules: PbftRules = pbftRules): Room {
    const room = new Room([1, 1, 1, 1], rules);
    // The fourth alone prepares a value; the new leader never hears of it, the third does.
    room.onTheWay = (_from, to, message) =>
      message.type === "commit" || (message.type === "prepare" && to !== fourth) ? undefined : message;
    room.propose(first, { height: 1, view: 0, text: "a" });
    room.settle();
    room.onTheWay = (from, to, message) => (from === fourth && to === second && message.type === "view-change" ? undefined : message);
    room.timeOut(ALL);
    room.propose(second, { height: 1, view: 1, text: "b" });
    room.settle();
    return room;
  }

  it("demands what its own view changes say, whatever others its receivers saw (fabric PR 1111: no deadlock)", () => {
    const room = decidedInTwoStories();
    const digests = ALL.map((id) => room.effects("decide", id)[0]?.proposal.digest);
    expect(new Set(digests).size).to.equal(1);
    expect(room.effects("decide", fourth)[0]?.proposal.header.originView).to.equal(1);
    // With the bug planted the receivers demand what only they have seen, and nobody decides.
    expect(decidedInTwoStories({ ...pbftRules, demandsByNewView: false }).effects("decide")).to.deep.equal([]);
  });
});

for (const engine of ["pbft", "tendermint"] as const) {
  describe(`a height that is decided while its block comes by catching up (${engine})`, () => {
    it("is decided once, whichever comes first and also in the midst of a view change (SmartBFT #484, #553, #570)", () => {
      const room = new Room([1, 1, 1, 1], {}, engine);
      for (const id of ALL) room.feed(id, { type: "pending", pending: true });
      const [wanted] = room.effects("want-proposal");
      const leader = room.happenings.find(({ effect }) => effect.type === "want-proposal")?.node ?? first;
      const held: [NodeId, ConsensusMessage][] = [];
      room.onTheWay = (from, to, message) => {
        if (to !== third || (message.type !== "commit" && message.type !== "precommit")) return message;
        held.push([from, message]);
        return undefined;
      };
      room.propose(leader, { height: 1, view: wanted?.view ?? 0, text: "a" });
      room.settle();
      const [decided] = room.effects("decide", leader);
      if (decided === undefined) throw new Error("the others decided");
      const { headerBytes, batch } = decided.proposal;
      const block: ConsensusMessage = { type: "block", headerBytes, batch, certificate: decided.certificate };
      room.timeOut([third]);
      const [one, ...rest] = held;
      if (one !== undefined) room.feed(third, { type: "message", from: one[0], message: one[1] });
      room.feed(third, { type: "message", from: leader, message: block });
      for (const [from, message] of rest) room.feed(third, { type: "message", from, message });
      room.feed(third, { type: "message", from: leader, message: block });
      room.settle();
      expect(room.effects("decide", third)).to.have.length(1);
      expect(room.effects("halt")).to.deep.equal([]);
    });
  });
}

/** What members decide at height 1 in a world of their own, as a block that anyone can check. */
function decidedAlone(engine: "pbft" | "tendermint", weights: readonly number[], text: string): ConsensusMessage {
  const room = worldOf(engine, weights, text);
  const [decided] = room.effects("decide");
  if (decided === undefined) throw new Error("nothing was decided");
  const { headerBytes, batch } = decided.proposal;
  return { type: "block", headerBytes, batch, certificate: decided.certificate };
}

function worldOf(engine: "pbft" | "tendermint", weights: readonly number[], text: string): Room {
  const room = new Room(weights, {}, engine);
  for (const { id } of room.nodes) room.feed(id, { type: "pending", pending: true });
  const leader = room.happenings.find(({ effect }) => effect.type === "want-proposal")?.node ?? first;
  room.propose(leader, { height: 1, view: 0, text });
  room.settle();
  return room;
}

for (const engine of ["pbft", "tendermint"] as const) {
  describe(`a node that hears of two decisions of one height (${engine})`, () => {
    it("names a third of the weight and stops, and nobody is named without both certificates", () => {
      for (const text of ["1111", "11111", "32212", "11111111"]) {
        const weights = text.split("").map(Number);
        const room = worldOf(engine, weights, "a");
        room.feed(third, { type: "message", from: second, message: decidedAlone(engine, weights, "a") });
        expect(room.effects("halt"), "after the same block again").to.deep.equal([]);
        const other = decidedAlone(engine, weights, "b");
        if (other.type !== "block") throw new Error("no block");
        const [vote, ...votes] = other.certificate.votes;
        if (vote === undefined) throw new Error("no votes");
        const forged = { ...other, certificate: { ...other.certificate, votes: [{ ...vote, signature: new Uint8Array(64) }, ...votes] } };
        room.feed(third, { type: "message", from: second, message: forged });
        expect(room.effects("halt"), "after a forged certificate").to.deep.equal([]);
        room.feed(third, { type: "message", from: second, message: other });
        expect(room.effects("halt", third).map(({ reason }) => reason)).to.deep.equal(["two certificates decide one height differently"]);
        const context = { cluster: CLUSTER, membership: room.membership };
        const evidence = room.effects("evidence", third).map((effect) => effect.evidence);
        for (const each of evidence) expect(evidenceClaims(each, context)?.every(isGenuine)).to.equal(true);
        const named = new Set(evidence.map(({ offender }) => offender));
        expect(holdsOneHonest(weightOf(room.membership, named), totalWeight(room.membership)), weights.join()).to.equal(true);
      }
    });

    it("stops also when it is shown the next block of the other chain, which a quorum has to have decided", () => {
      const weights = [1, 1, 1, 1];
      const room = worldOf(engine, weights, "a");
      const other = worldOf(engine, weights, "b");
      const [wanted] = other.happenings.filter(({ effect }) => effect.type === "want-proposal" && effect.height === 2);
      other.propose(wanted?.node ?? first, { height: 2, view: 0, text: "c" });
      other.settle();
      const decided = other.effects("decide", first).find(({ certificate }) => certificate.height === 2);
      if (decided === undefined) throw new Error("a second block");
      const { headerBytes, batch } = decided.proposal;
      const { certificate } = decided;
      const show = (votes: typeof certificate.votes): number => {
        const message = { type: "block", headerBytes, batch, certificate: { ...certificate, votes } } as const;
        room.feed(third, { type: "message", from: second, message });
        return room.effects("halt", third).length;
      };
      const { votes } = certificate;
      expect(show(votes.slice(1)), "short").to.equal(0);
      expect(show(votes.map((vote) => ({ ...vote, signature: new Uint8Array(64) }))), "forged").to.equal(0);
      expect(show(votes), "genuine").to.equal(1);
      expect(room.effects("decide", third)).to.have.length(1);
    });
  });
}

describe("a polka", () => {
  it("is believed only with distinct, genuine prevotes of a quorum for one value (malachite #1036)", () => {
    const room = new Room([1, 1, 1, 1], {}, "tendermint");
    room.onTheWay = (_from, _to, message) => (message.type === "precommit" ? undefined : message);
    for (const id of ALL) room.feed(id, { type: "pending", pending: true });
    const leader = room.happenings.find(({ effect }) => effect.type === "want-proposal")?.node ?? first;
    room.propose(leader, { height: 1, view: 0, text: "a" });
    room.settle();
    for (const id of ALL) room.feed(id, { type: "timer", name: "retransmit" });
    const [polka] = room.effects("broadcast").flatMap(({ message }) => (message.type === "polka" ? message : []));
    if (polka === undefined) throw new Error("a quorum prevoted");
    const [a, b, c] = polka.votes as [Polka["votes"][number], Polka["votes"][number], Polka["votes"][number]];
    const believed = (lie: Partial<Polka>): number => {
      const other = new Room([1, 1, 1, 1], {}, "tendermint");
      other.onTheWay = () => undefined;
      other.feed(third, { type: "message", from: fourth, message: { ...polka, ...lie } });
      return other.effects("broadcast", third).filter(({ message }) => message.type === "fetch-proposal").length;
    };
    expect(believed({})).to.equal(1);
    const forged = { ...c, signature: new Uint8Array(64) };
    for (const votes of [
      [a, b],
      [a, b, b],
      [c, b, a],
      [a, b, forged],
      [a, b, { ...c, node: nodeId(9) }],
      [a, b, { ...c, validRound: 0 }],
    ])
      expect(believed({ votes })).to.equal(0);
    for (const lie of [{ digest: ZERO_HASH }, { digest: "f".repeat(64) as never }, { view: 1 }, { height: 2 }, { epoch: 1 }])
      expect(believed(lie)).to.equal(0);
  });
});

describe("a Raft cluster", () => {
  it("is not disturbed by a node that was removed (etcd #8499)", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const { id, core } = cluster.elect();
    const { view } = core.snapshot();
    const head = { epoch: 0, term: view + 50 } as const;
    const removed: readonly ConsensusMessage[] = [
      { type: "vote-request", ...head, pre: false, transfer: true, lastHeight: 99, lastTerm: 99 },
      { type: "vote-request", ...head, pre: true, transfer: false, lastHeight: 99, lastTerm: 99 },
      { type: "append-reply", ...head, accepted: false, height: 0, heightTerm: 0, round: 0, counts: true, incarnation: 1 },
      { type: "append", ...head, prevHeight: 0, prevDigest: ZERO_HASH, commit: 9, round: 1 },
      { type: "timeout-now", ...head },
    ];
    for (const node of cluster.nodes) for (const message of removed) cluster.feed(node.id, { type: "message", from: nodeId(9), message });
    cluster.run(3_000);
    expect(cluster.leader()?.id).to.equal(id);
    expect(cluster.nodes.map((node) => node.core.snapshot().view)).to.deep.equal([view, view, view]);
  });

  it("replaces a leader whose entries its followers refuse, though it answers and is answered", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const old = cluster.elect();
    cluster.isValid = (_node, proposal) => proposal.header.proposer !== old.id;
    cluster.order(1);
    cluster.run(10_000);
    expect(cluster.leader()?.id).not.to.equal(old.id);
    cluster.order(1);
    cluster.run(1_000);
    expect(Math.min(...cluster.nodes.map(({ tip }) => tip.height))).to.be.greaterThan(0);
    expect(cluster.violations).to.deep.equal([]);
    expect(cluster.halts).to.deep.equal([]);
  });

  it("takes no entry unseen that was refused in its own term: its proposer wins again, its log being longer", () => {
    const cluster = new RaftCluster({ weights: [1, 1, 1] });
    const old = cluster.elect();
    // Nobody shows that a quorum took an entry of an earlier term: it is not above the clock.
    cluster.isValid = (_node, proposal, check) => check === "re-proposal" || proposal.header.proposer !== old.id;
    cluster.passes = (from, _to, message) => message.type !== "vote-request" || from === old.id;
    cluster.order(1);
    cluster.run(10_000);
    cluster.passes = () => true;
    cluster.run(10_000);
    cluster.order(1);
    cluster.run(1_000);
    const proposers = new Set(cluster.nodes.flatMap(({ blocks }) => [...blocks.values()].map(({ proposal }) => proposal.header.proposer)));
    expect(proposers.size).to.equal(1);
    expect(proposers.has(old.id)).to.equal(false);
    expect(cluster.violations).to.deep.equal([]);
    expect(cluster.halts).to.deep.equal([]);
  });
});
