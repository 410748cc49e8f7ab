import { expect } from "chai";
import { type NodeId, ZERO_HASH } from "#base";
import { type ConsensusMessage, proposerOf } from "#consensus";
import { isWhole, membershipOf, nodeId, Room } from "./core-kit.ts";

const EQUAL = [1, 1, 1, 1];
const membership = membershipOf(EQUAL);
/** Leads the first height and lies; leads the second one. */
const liar = proposerOf(membership, 1, 0);
const next = proposerOf(membership, 2, 0);
const [a, b] = [1, 2, 3, 4].map(nodeId).filter((id) => id !== liar && id !== next) as [NodeId, NodeId];

type RoundCertificate = Extract<ConsensusMessage, { type: "round-certificate" }>;

interface Audience {
  readonly proposal: readonly NodeId[];
  readonly prevote: readonly NodeId[];
  readonly precommit: readonly NodeId[];
}

/** A first height whose proposer lets only some hear each thing that it says, and nobody is given its proposal by others unless `isShared`. */
function room({ proposal, prevote, precommit }: Audience, { isShared = false }: { readonly isShared?: boolean } = {}): Room {
  const at = new Room(EQUAL, {}, "tendermint");
  const heard: Partial<Record<ConsensusMessage["type"], readonly NodeId[]>> = { "round-proposal": proposal, prevote, precommit };
  at.onTheWay = (from, to, message) => {
    if (from === liar) return heard[message.type]?.includes(to) === true ? message : undefined;
    return message.type === "passed-proposal" && !isShared ? undefined : message;
  };
  at.propose(liar, { height: 1, view: 0, text: "a" });
  at.settle();
  return at;
}

function giveUp(at: Room, node: NodeId): void {
  at.feed(node, { type: "pending", pending: true });
  at.feed(node, { type: "timer", name: "propose" });
  at.settle();
}

/** Whom a node asks for a decided block that it knows nothing of. */
function askedForBlock(at: Room, node: NodeId): NodeId[] {
  return at
    .effects("send", node)
    .filter(({ message }) => message.type === "fetch-proposal" && message.digest === ZERO_HASH)
    .map(({ to }) => to);
}

function deciders(at: Room): NodeId[] {
  return [a, b, next].filter((id) => at.effects("decide", id).length > 0);
}

function certificates(at: Room, to: NodeId): { readonly from: NodeId; readonly message: RoundCertificate }[] {
  return at.happenings.flatMap(({ node, effect }) =>
    node !== liar && effect.type === "send" && effect.to === to && effect.message.type === "round-certificate"
      ? [{ from: node, message: effect.message }]
      : [],
  );
}

describe("What a proposer of Tendermint lets only some know", () => {
  it("is a lock that the one who has it shows as soon as somebody prevotes otherwise: the round decides all the same", () => {
    const at = room({ proposal: [a, b], prevote: [a], precommit: [] });
    expect(at.effects("append", a).some(({ record }) => record.key === "lock")).to.equal(true);
    expect(at.effects("append", b).some(({ record }) => record.key === "lock")).to.equal(false);
    expect(at.effects("broadcast", a).filter(({ message }) => message.type === "polka")).to.deep.equal([]);
    const heard = at.onTheWay;
    at.onTheWay = (from, to, message) => (from === liar ? heard(from, to, message) : message);
    giveUp(at, next);
    expect(at.effects("broadcast", a).filter(({ message }) => message.type === "polka")).to.have.length(1);
    expect(deciders(at)).to.deep.equal([a, b, next]);
    expect(at.effects("decide").every(({ certificate }) => certificate.view === 0)).to.equal(true);
  });

  it("is a decision that the next proposer is shown at once; it asks for the block, or decides where it has the value", () => {
    const blind = room({ proposal: [a, b], prevote: [a, b], precommit: [a, b] });
    expect(deciders(blind)).to.deep.equal([a, b]);
    expect(certificates(blind, next).map(({ from }) => from)).to.have.members([a, b]);
    expect(askedForBlock(blind, next)).to.have.length(1);
    expect(blind.effects("send-block").map(({ to, height }) => ({ to, height }))).to.deep.equal([{ to: next, height: 1 }]);

    const seeing = room({ proposal: [a, next], prevote: [a, next], precommit: [a] });
    expect(deciders(seeing)).to.deep.equal([a, next]);
    expect(askedForBlock(seeing, next)).to.deep.equal([]);
  });

  it("is a decision of which whoever passes over the proposer is told", () => {
    const at = room({ proposal: [a, next], prevote: [a, next], precommit: [a, next] });
    expect(deciders(at)).to.deep.equal([a, next]);
    giveUp(at, b);
    expect(certificates(at, b).length).to.be.at.least(1);
    expect(askedForBlock(at, b).length).to.be.at.least(1);
  });

  it("is told to each a few times only, however often it votes: nobody checks what it signs", () => {
    const at = room({ proposal: [a, next], prevote: [a, next], precommit: [a, next] });
    const vote = {
      type: "prevote",
      epoch: 0,
      height: 1,
      view: 0,
      digest: ZERO_HASH,
      validRound: -1,
      signature: new Uint8Array(64),
    } as const;
    for (let again = 0; again < 50; again++) at.feed(a, { type: "message", from: liar, message: vote });
    expect(certificates(at, liar).filter(({ from }) => from === a)).to.have.length(4);
  });

  it("is asked of more members than may lie, however light these are", () => {
    const weights = [4, 4, 4, 4, 1, 1, 1];
    const at = new Room(weights, {}, "tendermint");
    const light = [5, 6, 7].map(nodeId);
    const [left, honest] = [1, 2].map(nodeId) as [NodeId, NodeId];
    const ahead = {
      type: "prevote",
      epoch: 0,
      height: 2,
      view: 0,
      digest: ZERO_HASH,
      validRound: -1,
      signature: new Uint8Array(64),
    } as const;
    for (const from of [...light, honest]) at.feed(left, { type: "message", from, message: ahead });
    expect(askedForBlock(at, left)).to.deep.equal([...light, honest]);
  });

  it("is asked for by who hears of the next height, once of each, and by nobody where all prevoted for one value", () => {
    const at = room({ proposal: [a, next], prevote: [a, next], precommit: [a, next] });
    at.propose(next, { height: 2, view: 0, text: "b" });
    at.settle();
    expect(askedForBlock(at, b)).to.have.members([a, next]);
    expect(at.effects("send-block", next).map(({ to }) => to)).to.deep.equal([b]);

    const slow = new Room(EQUAL, {}, "tendermint");
    slow.onTheWay = (_from, to, message) =>
      to !== b || message.type === "prevote" || ("height" in message && message.height === 2) ? message : undefined;
    slow.propose(liar, { height: 1, view: 0, text: "a" });
    slow.settle();
    slow.propose(next, { height: 2, view: 0, text: "b" });
    slow.settle();
    expect(slow.effects("decide", b)).to.deep.equal([]);
    expect(askedForBlock(slow, b)).to.deep.equal([]);

    const open = new Room(EQUAL, {}, "tendermint");
    open.onTheWay = (_from, to, message) => (to === b && message.type === "precommit" ? undefined : message);
    open.propose(liar, { height: 1, view: 0, text: "a" });
    open.settle();
    expect(certificates(open, next)).to.deep.equal([]);
    open.propose(next, { height: 2, view: 0, text: "b" });
    open.settle();
    expect(open.effects("decide", b)).to.deep.equal([]);
    expect(open.effects("send", b)).to.deep.equal([]);
  });

  it("is nothing that could be made up: a forged or short decision decides nothing", () => {
    const source = room({ proposal: [a, b], prevote: [a, b], precommit: [a, b] });
    const [shown] = certificates(source, next);
    if (shown === undefined) throw new Error("a decision that was shown");
    const { message } = shown;
    const lies: readonly RoundCertificate[] = [
      { ...message, votes: message.votes.slice(1) },
      { ...message, votes: message.votes.map((vote) => ({ ...vote, signature: new Uint8Array(64) })) },
      { ...message, votes: [...message.votes].reverse() },
    ];
    const heard = room({ proposal: [a, b, next], prevote: [], precommit: [] });
    heard.onTheWay = () => undefined;
    for (const lie of lies) heard.feed(next, { type: "message", from: liar, message: lie });
    const before = heard.effects("decide", next).length;
    expect(before).to.equal(1);

    const deaf = new Room(EQUAL, {}, "tendermint");
    deaf.onTheWay = (from, to, said) => (to === next && (said.type === "round-proposal" || from === liar) ? said : undefined);
    deaf.propose(liar, { height: 1, view: 0, text: "a" });
    deaf.settle();
    for (const lie of lies) deaf.feed(next, { type: "message", from: liar, message: lie });
    expect(deaf.effects("decide", next)).to.deep.equal([]);
    expect(deaf.node(next).core.snapshot().view).to.equal(0);
    deaf.feed(next, { type: "message", from: a, message });
    expect(deaf.effects("decide", next)).to.have.length(1);
  });
});

describe("A proposal that its proposer keeps from some", () => {
  it("is had of those who prevoted for it, and the round decides without the proposer's votes", () => {
    const at = room({ proposal: [a, b], prevote: [], precommit: [] }, { isShared: true });
    const asked = at.effects("send", next).filter(({ message }) => message.type === "fetch-proposal");
    expect(asked.map(({ to }) => to)).to.have.members([a, b]);
    expect(at.effects("validate", next).map(({ check }) => check)).to.deep.equal(["first-proposal"]);
    expect(deciders(at)).to.deep.equal([a, b, next]);
    expect(at.effects("decide").every(({ certificate }) => certificate.view === 0)).to.equal(true);
  });

  it("is taken of nobody else, and of those who were asked only under the proposer's signature", () => {
    const source = room({ proposal: [a, b], prevote: [], precommit: [] }, { isShared: true });
    const said = source.effects("send", a).find(({ message }) => message.type === "passed-proposal")?.message;
    if (said?.type !== "passed-proposal") throw new Error("a proposal that was passed on");
    const unasked = room({ proposal: [a], prevote: [], precommit: [] });
    unasked.feed(next, { type: "message", from: a, message: said });
    expect(unasked.effects("verify", next)).to.deep.equal([]);
    const asked = room({ proposal: [a, b], prevote: [], precommit: [] });
    asked.feed(next, { type: "message", from: a, message: { ...said, signature: new Uint8Array(64) } });
    expect(asked.effects("validate", next)).to.deep.equal([]);
    asked.feed(next, { type: "message", from: b, message: said });
    asked.settle();
    expect(deciders(asked)).to.deep.equal([a, b, next]);
  });
});

describe("A proposal that a second liar passes on with another batch", () => {
  it("is no reason to vote against its proposer, and bars the way to nobody who has it as it was said", () => {
    const seven = membershipOf([1, 1, 1, 1, 1, 1, 1]);
    const proposer = proposerOf(seven, 1, 0);
    const [helper, left, ...others] = seven.members.map(({ id }) => id).filter((id) => id !== proposer) as [NodeId, NodeId, ...NodeId[]];
    const speakers = [helper, ...others.slice(0, 2)];
    const at = new Room([1, 1, 1, 1, 1, 1, 1], {}, "tendermint");
    const asked: NodeId[] = [];
    const answers: (() => void)[] = [];
    at.onTheWay = (from, to, message) => {
      if (from === proposer) return message.type === "round-proposal" && to !== left ? message : undefined;
      // Enough prevotes to ask by, and no polka.
      if (to === left && message.type === "prevote" && !speakers.includes(from)) return undefined;
      if ((to === left && message.type === "polka") || message.type === "precommit") return undefined;
      if (message.type === "fetch-proposal" && message.digest !== ZERO_HASH) asked.push(to);
      if (message.type !== "passed-proposal" || to !== left) return message;
      const said = from === helper ? { ...message, batch: [new Uint8Array(9)] } : message;
      const answer = (): void => at.feed(left, { type: "message", from, message: said });
      if (from === helper) answers.unshift(answer, answer);
      else answers.push(answer);
      return undefined;
    };
    at.propose(proposer, { height: 1, view: 0, text: "a" });
    at.settle();
    expect(asked).to.have.members(speakers);
    for (const answer of answers) answer();
    at.settle();
    const prevotes = at.effects("broadcast", left).flatMap(({ message }) => (message.type === "prevote" ? [message.digest] : []));
    expect(prevotes).to.deep.equal([at.effects("validate", helper)[0]?.proposal.digest]);
    // Whoever answers twice is heard once.
    expect(at.effects("validate", left).filter(({ proposal }) => !isWhole(proposal))).to.have.length(1);
  });

  it("may come from its proposer too, when that one was asked", () => {
    const at = new Room(EQUAL, {}, "tendermint");
    at.onTheWay = (from, to, message) => {
      if (message.type === "round-proposal" && to === next) return undefined;
      return message.type === "passed-proposal" && from !== liar ? undefined : message;
    };
    at.propose(liar, { height: 1, view: 0, text: "a" });
    at.settle();
    expect(deciders(at)).to.include(next);
  });
});

describe("A round of Tendermint that members gave up", () => {
  it("is waited in by nobody else: its proposal would get no quorum", () => {
    const at = room({ proposal: [], prevote: [], precommit: [] });
    giveUp(at, a);
    expect(at.effects("broadcast", next)).to.deep.equal([]);
    giveUp(at, b);
    const said = at.effects("broadcast", next).map(({ message }) => message);
    expect(said.find(({ type }) => type === "prevote")).to.include({ view: 0, digest: ZERO_HASH });
    for (const id of [a, b, next]) expect(at.node(id).core.snapshot().view, id).to.equal(1);
  });

  it("is left by all at once: whoever leaves it shows why", () => {
    const at = room({ proposal: [], prevote: [], precommit: [] });
    const heard = at.onTheWay;
    at.onTheWay = (from, to, message) => (to === next && message.type === "precommit" ? undefined : heard(from, to, message));
    giveUp(at, a);
    giveUp(at, b);
    expect(at.node(next).core.snapshot().view).to.equal(1);
    const shown = at.effects("broadcast", a).filter(({ message }) => message.type === "round-certificate");
    expect(shown).to.have.length(1);
  });
});
