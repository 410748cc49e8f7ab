import { expect } from "chai";
import { encodeVoteBody, fromHex, type Hash, type NodeId, signedBytes, VOTE_TYPE, ZERO_HASH } from "#base";
import {
  checkCommitCertificate,
  commitCertificateClaims,
  decodeMessage,
  encodeMessage,
  evidenceClaims,
  type Prevote,
  proposerOf,
  type RoundVote,
  tendermintRules,
} from "#consensus";
import { CLUSTER, isGenuine, membershipOf, nodeId, Room, sign } from "./core-kit.ts";

const EQUAL = [1, 1, 1, 1];
const membership = membershipOf(EQUAL);
const ids = [1, 2, 3, 4].map(nodeId);
/** Proposers of the rounds of height 1, and whoever is left. */
const [p0, p1, p2, other] = [0, 1, 2, 3].map((round) => proposerOf(membership, 1, round)) as [NodeId, NodeId, NodeId, NodeId];

function room(weights: readonly number[] = EQUAL, rules = tendermintRules): Room {
  return new Room(weights, { tendermint: rules }, "tendermint");
}

function propose(at: Room, text: string, about: { height?: number; view?: number; by?: NodeId } = {}): void {
  const { height = 1, view = 0, by = p0 } = about;
  at.propose(by, { height, view, text });
  at.settle();
}

function timeOut(at: Room, name: "propose" | "prevote" | "precommit" | "retransmit", nodes: readonly NodeId[] = ids): void {
  for (const id of nodes) {
    at.feed(id, { type: "pending", pending: true });
    at.feed(id, { type: "timer", name });
  }
  at.settle();
}

/** A nil precommit as a round certificate holds it. */
function nilVote(node: NodeId, round: number): RoundVote {
  const slot = { cluster: fromHex(CLUSTER), epoch: 0, height: 1, view: round, digest: fromHex(ZERO_HASH), validRound: -1 };
  const body = encodeVoteBody({ ...slot, type: VOTE_TYPE.tendermintPrecommitNil });
  return { node, round, step: "precommit", digest: ZERO_HASH, validRound: -1, signature: sign(node, signedBytes("vote", body)) };
}

describe("a round of Tendermint", () => {
  it("takes the steps of the protocol, each written before it is said", () => {
    const at = room();
    propose(at, "a");
    const steps = at.happenings
      .filter(({ node, effect }) => node === p1 && ["broadcast", "append", "decide"].includes(effect.type))
      .map(({ effect }) =>
        effect.type === "broadcast"
          ? effect.message.type
          : effect.type === "append"
            ? `log ${effect.record.key
                .split("/")
                .slice(0, effect.record.key.startsWith("sent") ? 2 : 1)
                .join("/")}`
            : effect.type,
      );
    expect(steps).to.deep.equal(["log body", "log sent/prevote", "prevote", "log lock", "log sent/precommit", "precommit", "decide"]);
  });

  it("decides the same at every member, with a certificate that anyone can check, for any sizes and weights", () => {
    for (const weights of [[1], EQUAL, [1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1], [3, 3, 2, 2, 1]]) {
      const members = membershipOf(weights);
      const at = room(weights);
      propose(at, "a", { by: proposerOf(members, 1, 0) });
      const decided = at.effects("decide");
      expect(decided, weights.join()).to.have.length(weights.length);
      expect(new Set(decided.map(({ proposal }) => proposal.digest)).size).to.equal(1);
      for (const { certificate } of decided) {
        expect(checkCommitCertificate(certificate, { membership: members, engine: "tendermint" })).to.equal(true);
        const claims = commitCertificateClaims(certificate, { cluster: CLUSTER, membership: members, engine: "tendermint" });
        expect(claims.length).to.equal(certificate.votes.length);
        expect(claims.every(isGenuine)).to.equal(true);
      }
    }
  });

  it("costs what the formula says", () => {
    for (const n of [4, 7, 16]) {
      const weights = Array.from({ length: n }, () => 1);
      const at = room(weights);
      propose(at, "a", { by: proposerOf(membershipOf(weights), 1, 0) });
      const said = at.effects("broadcast").filter(({ message }) => message.type !== "polka");
      expect(said.length * (n - 1), `messages of ${n}`).to.equal((2 * n + 1) * (n - 1));
      expect(
        at.nodes.reduce((sum, node) => sum + node.signatures, 0),
        `signatures of ${n}`,
      ).to.equal(2 * n + 1);
    }
  });

  it("gives proposers turns by weight over heights, and passes over each at once over rounds", () => {
    const heavy = membershipOf([5, 1, 1, 1, 1]);
    const leads = Array.from({ length: 90 }, (_, height) => proposerOf(heavy, height + 1, 0));
    expect(leads.filter((id) => id === nodeId(1))).to.have.length(50);
    for (const id of [2, 3, 4, 5].map(nodeId)) expect(leads.filter((lead) => lead === id)).to.have.length(10);
    expect(new Set([0, 1, 2, 3, 4].map((round) => proposerOf(heavy, 7, round))).size).to.equal(5);
  });
});

describe("the rounds of Tendermint", () => {
  it("pass over a silent proposer", () => {
    const at = room();
    at.onTheWay = (from, _to, message) => (from === p0 ? undefined : message);
    timeOut(at, "propose", [p1, p2, other]);
    timeOut(at, "precommit", [p1, p2, other]);
    expect(at.node(p2).core.snapshot()).to.include({ view: 1, leader: p1 });
    propose(at, "b", { view: 1, by: p1 });
    expect(at.effects("decide", other)[0]?.certificate.view).to.equal(1);
  });

  it("are skipped by who falls behind, once others of one honest weight are ahead", () => {
    const at = room();
    at.onTheWay = (_from, to, message) => (to === other ? undefined : message);
    for (const _round of [0, 1]) {
      timeOut(at, "propose", [p0, p1, p2]);
      timeOut(at, "precommit", [p0, p1, p2]);
    }
    timeOut(at, "propose", [p0, p1, p2]);
    expect(at.node(other).core.snapshot().view).to.equal(0);
    at.onTheWay = (_from, _to, message) => message;
    timeOut(at, "retransmit", [p0, p1]);
    expect(at.node(other).core.snapshot().view).to.equal(at.node(p0).core.snapshot().view).and.to.be.greaterThan(1);
  });

  it("take along those that a silent member left behind: who is ahead alone shows why, also after a restart", () => {
    const at = room();
    // All but p1 hear the prevotes, and p0 alone the precommits: it goes on, and its old votes are sent no more.
    at.onTheWay = (_from, to, message) => ((message.type === "prevote" ? to !== p1 : to === p0) ? message : undefined);
    timeOut(at, "propose");
    at.restart(p0);
    expect(ids.map((id) => at.node(id).core.snapshot().view)).to.have.members([1, 0, 0, 0]);
    at.onTheWay = () => undefined;
    timeOut(at, "propose", [p0]);
    at.onTheWay = (from, to, message) => (from === other || to === other ? undefined : message);
    timeOut(at, "retransmit", [p0]);
    timeOut(at, "propose", [p1, p2]);
    for (const id of [p0, p1, p2]) expect(at.node(id).core.snapshot().view, id).to.be.greaterThan(0);
  });

  it("keep what may have been decided: who is locked prevotes nothing else, and the value is proposed again unchanged", () => {
    const at = room();
    at.onTheWay = (_from, to, message) => (message.type === "precommit" && to !== p0 ? undefined : message);
    propose(at, "a");
    const [alone] = at.effects("decide", p0);
    // The one that decided dies before it can tell.
    at.onTheWay = (from, to, message) => (from === p0 || to === p0 ? undefined : message);
    timeOut(at, "retransmit", [p1, p2, other]);
    timeOut(at, "precommit", [p1, p2, other]);
    for (const id of [p1, p2, other]) {
      expect(
        at.effects("decide", id).map(({ proposal }) => proposal.digest),
        id,
      ).to.deep.equal([alone?.proposal.digest]);
    }
  });

  it("know of a lock that one member alone has (hidden lock): it shows its polka, and the next proposer proposes its value", () => {
    const at = room();
    // Only p2 sees a quorum of prevotes; it locks, and nobody decides.
    at.onTheWay = (_from, to, message) => (message.type === "precommit" || (message.type === "prevote" && to !== p2) ? undefined : message);
    propose(at, "a");
    expect(at.effects("append", p2).some(({ record }) => record.key === "lock")).to.equal(true);
    expect(at.effects("append", p1).some(({ record }) => record.key === "lock")).to.equal(false);
    at.onTheWay = (_from, _to, message) => (message.type === "prevote" && message.view === 0 ? undefined : message);
    timeOut(at, "retransmit", [p2]);
    timeOut(at, "prevote", [p0, p1, other]);
    timeOut(at, "retransmit");
    timeOut(at, "precommit");
    const [value] = at.effects("want-proposal", p1);
    expect(value, "p1 was shown the polka and needs no new value").to.equal(undefined);
    for (const id of ids) expect(at.effects("decide", id), id).to.have.length(1);
  });

  it("wait for the polka of a value that is proposed again, and prevote once it is shown", () => {
    const first = room();
    first.onTheWay = (_from, _to, message) => (message.type === "precommit" ? undefined : message);
    propose(first, "a");
    timeOut(first, "retransmit", [p1]);
    const said = first.effects("broadcast").map(({ message }) => message);
    const proposal = said.find((message) => message.type === "round-proposal");
    const polka = said.find((message) => message.type === "polka");
    const digest = first.effects("validate")[0]?.proposal.digest;
    if (proposal?.type !== "round-proposal" || polka === undefined || digest === undefined) throw new Error("a value with a polka");
    const slot = { cluster: fromHex(CLUSTER), epoch: 0, height: 1, view: 1, digest: fromHex(digest), validRound: 0 };
    const body = encodeVoteBody({ ...slot, type: VOTE_TYPE.tendermintPropose });
    const again = { ...proposal, view: 1, validRound: 0, signature: sign(p1, signedBytes("proposal", body)) };
    const at = room();
    at.onTheWay = () => undefined;
    at.feed(p2, {
      type: "message",
      from: p0,
      message: { type: "round-certificate", epoch: 0, height: 1, view: 1, votes: [nilVote(nodeId(1), 1), nilVote(nodeId(2), 1)] },
    });
    at.feed(p2, { type: "message", from: p1, message: again });
    expect(at.effects("broadcast", p2).filter(({ message }) => message.type === "prevote")).to.deep.equal([]);
    at.feed(p2, { type: "message", from: p1, message: polka });
    const prevote = at.effects("broadcast", p2).find(({ message }) => message.type === "prevote")?.message;
    expect(prevote).to.include({ type: "prevote", view: 1, digest, validRound: 0 });
    expect(at.effects("validate", p2).map(({ check }) => check)).to.deep.equal(["re-proposal"]);
  });

  it("end at once for who shows that it went on where the others have decided: it is sent the block", () => {
    const at = room();
    at.onTheWay = (_from, to, message) => (to === other ? undefined : message);
    propose(at, "a");
    expect(at.effects("decide", p1)).to.have.length(1);
    const votes = ["node-1", "node-2"].map((id) => nilVote(id as NodeId, 1));
    const message = { type: "round-certificate", epoch: 0, height: 1, view: 1, votes } as const;
    at.feed(p1, { type: "message", from: other, message });
    expect(at.effects("send-block", p1)).to.deep.equal([{ type: "send-block", to: other, height: 1 }]);
  });

  it("go nowhere on a round certificate that is forged, short, doubled or of another round", () => {
    const at = room();
    const [a, b, c] = ["node-1", "node-2", "node-3"].map((id) => nilVote(id as NodeId, 4)) as [RoundVote, RoundVote, RoundVote];
    const show = (view: number, votes: readonly RoundVote[]): number => {
      const message = { type: "round-certificate", epoch: 0, height: 1, view, votes } as const;
      expect(decodeMessage(encodeMessage(message))).to.deep.equal(message);
      at.feed(other, { type: "message", from: p0, message });
      return at.node(other).core.snapshot().view;
    };
    expect(show(5, [a, b]), "short").to.equal(0);
    expect(show(5, [a, b, b]), "doubled").to.equal(0);
    expect(show(5, [b, a, c]), "out of order").to.equal(0);
    expect(show(6, [a, b, c]), "of another round").to.equal(0);
    expect(show(5, [a, b, { ...c, signature: new Uint8Array(64) }]), "forged").to.equal(0);
    expect(show(4, [a]), "one liar").to.equal(0);
    expect(show(4, [a, b]), "one honest member is there").to.equal(4);
    expect(show(5, [a, b, c]), "the round is over").to.equal(5);
  });

  it("are where they were after a restart: the same votes with the same bytes, the same lock", () => {
    const at = room();
    at.onTheWay = (_from, _to, message) => (message.type === "precommit" ? undefined : message);
    propose(at, "a");
    const before = at.effects("broadcast", p1).map(({ message }) => message);
    at.onTheWay = () => undefined;
    for (const id of ids) at.restart(id);
    const after = at
      .effects("broadcast", p1)
      .slice(before.length)
      .map(({ message }) => message);
    for (const type of ["prevote", "precommit"]) {
      expect(after.filter((message) => message.type === type)).to.deep.equal(before.filter((message) => message.type === type));
    }
    at.onTheWay = (_from, _to, message) => message;
    timeOut(at, "retransmit");
    for (const id of ids) expect(at.effects("decide", id), id).to.have.length(1);
  });
});

describe("a restart of Tendermint", () => {
  it("gives a vote again of which the guard alone has a record", () => {
    for (const [kind, name] of [
      ["prevote", "propose"],
      ["precommit", "prevote"],
    ] as const) {
      const at = room();
      at.onTheWay = (_from, _to, message) => (message.type === "precommit" ? undefined : message);
      if (kind === "prevote") timeOut(at, name, [p1]);
      else propose(at, "a");
      const said = at.effects("broadcast", p1).find(({ message }) => message.type === kind)?.message;
      at.node(p1).records.delete(`sent/${kind}`);
      at.happenings.length = 0;
      at.onTheWay = () => undefined;
      at.restart(p1);
      expect(said, kind).to.not.equal(undefined);
      expect(at.effects("broadcast", p1).map(({ message }) => message)).to.deep.include(said);
    }
  });

  it("keeps the lock: nothing else gets its prevote, and what was locked is decided", () => {
    const at = room();
    at.onTheWay = (_from, _to, message) => (message.type === "precommit" ? undefined : message);
    propose(at, "a");
    const [locked] = at.effects("append", p1).filter(({ record }) => record.key === "lock");
    expect(locked).to.not.equal(undefined);
    for (const id of ids) at.restart(id);
    const digest = at.effects("validate")[0]?.proposal.digest;
    const before = at.happenings.length;
    at.onTheWay = (_from, _to, message) => message;
    timeOut(at, "retransmit");
    const prevotes = at.happenings
      .slice(before)
      .flatMap(({ effect }) => (effect.type === "broadcast" && effect.message.type === "prevote" ? [effect.message] : []));
    expect(prevotes.every((prevote) => prevote.digest === digest)).to.equal(true);
    expect(new Set(at.effects("decide").map(({ proposal }) => proposal.digest))).to.deep.equal(new Set([digest]));
  });
});

describe("evidence of Tendermint", () => {
  const digestOf = (text: string): Hash => text.padStart(64, "0") as Hash;

  function vote(node: NodeId, about: { view: number; digest: Hash; validRound?: number; type: "prevote" | "precommit" }): Prevote {
    const { view, digest, validRound = -1, type } = about;
    const nil = digest === ZERO_HASH;
    const number =
      type === "prevote" ? (nil ? VOTE_TYPE.tendermintPrevoteNil : VOTE_TYPE.tendermintPrevote) : VOTE_TYPE.tendermintPrecommit;
    const body = encodeVoteBody({
      cluster: fromHex(CLUSTER),
      epoch: 0,
      height: 1,
      view,
      type: number,
      digest: fromHex(digest),
      validRound,
    });
    const signature = sign(node, signedBytes("vote", body));
    const message = { type, epoch: 0, height: 1, view, digest, signature };
    return (type === "prevote" ? { ...message, validRound } : message) as Prevote;
  }

  function evidenceAt(at: Room, votes: readonly Prevote[]): ReturnType<Room["effects"]> {
    for (const message of votes) at.feed(p1, { type: "message", from: other, message });
    return at.effects("evidence", p1);
  }

  it("names who votes twice in a round, nil or not, and anyone can check it", () => {
    for (const second of [digestOf("b"), ZERO_HASH]) {
      const at = room();
      const found = evidenceAt(at, [
        vote(other, { type: "prevote", view: 0, digest: digestOf("a") }),
        vote(other, { type: "prevote", view: 0, digest: second }),
      ]);
      expect(found.map((effect) => effect.type === "evidence" && effect.evidence.kind)).to.deep.equal(["double-vote"]);
      for (const effect of found) {
        if (effect.type !== "evidence") continue;
        expect(effect.evidence.offender).to.equal(other);
        expect(evidenceClaims(effect.evidence, { cluster: CLUSTER, membership })?.every(isGenuine)).to.equal(true);
      }
    }
  });

  it("names who forgot what it precommitted", () => {
    const at = room();
    const found = evidenceAt(at, [
      vote(other, { type: "precommit", view: 1, digest: digestOf("a") }),
      vote(other, { type: "prevote", view: 3, digest: digestOf("b"), validRound: 0 }),
    ]);
    expect(found.map((effect) => effect.type === "evidence" && effect.evidence.kind)).to.deep.equal(["amnesia"]);
    for (const effect of found)
      if (effect.type === "evidence")
        expect(evidenceClaims(effect.evidence, { cluster: CLUSTER, membership })?.every(isGenuine)).to.equal(true);
  });

  it("names who forgot also when the precommit is learned of later", () => {
    const found = evidenceAt(room(), [
      vote(other, { type: "prevote", view: 3, digest: digestOf("b"), validRound: 0 }),
      vote(other, { type: "precommit", view: 1, digest: digestOf("a") }),
    ]);
    expect(found.map((effect) => effect.type === "evidence" && effect.evidence.kind)).to.deep.equal(["amnesia"]);
  });

  it("has no honest member to blame: nobody prevotes even for its own lock on an older polka", () => {
    expect(tendermintRules.mayPrevote({ lockedRound: 2, validRound: 0 })).to.equal(false);
    expect(tendermintRules.mayPrevote({ lockedRound: 2, validRound: 2 })).to.equal(true);
    expect(tendermintRules.mayPrevote({ lockedRound: -1, validRound: -1 })).to.equal(true);
  });

  it("blames nobody who was allowed to change its mind, votes nil, or was forged", () => {
    const allowed = [
      vote(other, { type: "precommit", view: 1, digest: digestOf("a") }),
      vote(other, { type: "prevote", view: 3, digest: digestOf("b"), validRound: 1 }),
    ];
    const nil = [
      vote(other, { type: "precommit", view: 1, digest: digestOf("a") }),
      vote(other, { type: "prevote", view: 3, digest: ZERO_HASH }),
    ];
    const forged = [
      vote(other, { type: "prevote", view: 0, digest: digestOf("a") }),
      { ...vote(other, { type: "prevote", view: 0, digest: digestOf("b") }), signature: new Uint8Array(64) },
    ];
    for (const votes of [allowed, nil, forged]) expect(evidenceAt(room(), votes)).to.deep.equal([]);
  });
});
