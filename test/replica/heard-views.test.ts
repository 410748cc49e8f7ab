import { expect } from "chai";
import {
  type Accusation,
  contradicts,
  encodeVoteBody,
  fromHex,
  type Hash,
  type NodeId,
  parseHash,
  parseNodeId,
  type SignatureVerifier,
  signedBytes,
  VOTE_TYPE,
} from "#base";
import {
  type ConsensusMessage,
  decodeMessage,
  encodeMessage,
  type HeardNewView,
  type NewView,
  newViewSignedBody,
  newViewStatement,
  type PreparedCertificate,
  type ViewChange,
  type Vote,
  viewChangeSignedBody,
} from "#consensus";
import { nodeHasher as hasher } from "#crypto";
import { HeardViews } from "#replica";
import { CLUSTER, isGenuine, keys, MEMBERSHIP, NODES } from "./four-members.ts";

const [ONE, TWO] = ["1", "2"].map((digit) => parseHash(digit.repeat(64))) as [Hash, Hash];
const [LEADER, FRIEND, OTHER, LIAR] = NODES;
const sign = (node: NodeId, message: Uint8Array): Uint8Array => keys.keyOf(`${node}/vote`).sign(message);

function commit(node: NodeId, change: Partial<Vote> = {}): Vote {
  const vote = { type: "commit" as const, epoch: 0, height: 10, view: 1, digest: ONE, ...change };
  const body = encodeVoteBody({
    ...vote,
    cluster: fromHex(CLUSTER),
    type: VOTE_TYPE.pbftCommit,
    digest: fromHex(vote.digest),
    validRound: -1,
  });
  return { ...vote, signature: change.signature ?? sign(node, signedBytes("vote", body)) };
}

function prepared(view: number, height = 10, digest: Hash = ONE): PreparedCertificate {
  const bytes = new Uint8Array(64).fill(view);
  return { epoch: 0, height, view, digest, headerBytes: bytes, proposalSignature: bytes, votes: [] };
}

function viewChange(sender: NodeId, change: Partial<ViewChange> = {}): ViewChange {
  const said = { type: "view-change" as const, epoch: 0, height: 10, view: 3, sender, parent: TWO, prepared: [], ...change };
  const body = viewChangeSignedBody({ cluster: CLUSTER, hasher }, said);
  return { ...said, signature: change.signature ?? sign(sender, signedBytes("view-change", body)) };
}

function newView(leader: NodeId, viewChanges: readonly ViewChange[], change: Partial<NewView> = {}): NewView {
  const said = { type: "new-view" as const, epoch: 0, height: 10, view: 3, viewChanges, ...change };
  return { ...said, signature: sign(leader, signedBytes("new-view", newViewSignedBody(CLUSTER, said))) };
}

/** What who entered its view shows of a new-view. */
function shown(message: NewView): HeardNewView {
  const { epoch, signature } = message;
  return { type: "heard-new-view", epoch, ...newViewStatement(message), signature };
}

describe("what a replica hears of views", () => {
  let found: Accusation[];
  let verified: number;
  let heard: HeardViews;
  const kinds = (): unknown[] => found.map(({ kind, node }) => [kind, node]);

  beforeEach(() => {
    [found, verified] = [[], 0];
    const verifier: SignatureVerifier = {
      verify: (claims, done) => {
        verified += 1;
        keys.verifier.verify(claims, done);
      },
    };
    heard = new HeardViews({
      cluster: CLUSTER,
      hasher,
      verifier,
      window: 2,
      membershipOf: (epoch) => (epoch === 0 ? MEMBERSHIP : undefined),
      onAccusation: (accusation) => found.push(accusation),
    });
  });

  it("keeps signatures and not the frames that they came in", () => {
    const arrived = <T extends ConsensusMessage>(message: T): T => decodeMessage(encodeMessage(message)) as T;
    const long = prepared(1);
    const covers = viewChange(LIAR, { prepared: [{ ...long, headerBytes: new Uint8Array(4_000) }] });
    heard.note(LIAR, arrived(commit(LIAR)));
    heard.note(LIAR, arrived(covers));
    heard.note(LIAR, arrived(viewChange(LIAR)));
    heard.note(LEADER, arrived(newView(LEADER, [covers])));
    heard.note(LEADER, arrived(newView(LEADER, [covers, viewChange(OTHER)])));
    expect(kinds()).to.have.length(3);
    for (const accusation of found) {
      for (const said of "first" in accusation && "second" in accusation ? [accusation.first, accusation.second] : []) {
        const signatures = [said.signature, ...("viewChanges" in said ? said.viewChanges.map(({ signature }) => signature) : [])];
        for (const { buffer } of signatures) expect(buffer.byteLength, accusation.kind).to.equal(64);
      }
    }
  });

  it("costs no verification while nobody lies", () => {
    for (const node of NODES) {
      heard.note(node, commit(node));
      heard.note(node, viewChange(node, { prepared: [prepared(1)] }));
      heard.note(node, viewChange(node, { prepared: [prepared(1)] }));
      heard.note(node, viewChange(node, { view: 4, prepared: [prepared(1)] }));
      heard.note(node, viewChange(node, { view: 4, height: 11 }));
    }
    heard.note(
      LEADER,
      newView(
        LEADER,
        NODES.map((node) => viewChange(node, { prepared: [prepared(1)] })),
      ),
    );
    heard.note(LEADER, newView(LEADER, [], { height: 11 }));
    expect([found, verified]).to.deep.equal([[], 0]);
  });

  it("convicts who hides what it committed, whichever came first", () => {
    heard.note(LIAR, commit(LIAR));
    heard.note(LIAR, viewChange(LIAR));
    heard.note(OTHER, viewChange(OTHER, { prepared: [prepared(0)] }));
    heard.note(OTHER, commit(OTHER));
    expect(kinds()).to.deep.equal([
      ["hidden-certificate", LIAR],
      ["hidden-certificate", OTHER],
    ]);
    expect(found.every(isGenuine)).to.equal(true);
  });

  it("convicts who hides it from the new leader only, by the new-view", () => {
    heard.note(LIAR, commit(LIAR));
    heard.note(LIAR, viewChange(LIAR, { prepared: [prepared(1)] }));
    heard.note(LEADER, newView(LEADER, [viewChange(FRIEND), viewChange(LIAR)]));
    expect(kinds()).to.deep.equal([
      ["double-view-change", LIAR],
      ["hidden-certificate", LIAR],
    ]);
    expect(found.every(isGenuine)).to.equal(true);
  });

  it("looks as far as the window reaches, and no further", () => {
    heard.note(LIAR, commit(LIAR, { height: 12 }));
    heard.note(LIAR, viewChange(LIAR));
    expect(found).to.deep.equal([]);
    heard.note(LIAR, commit(LIAR, { height: 11 }));
    expect(kinds()).to.deep.equal([["hidden-certificate", LIAR]]);
    expect(found.every((accusation) => contradicts(accusation, 2))).to.equal(true);
  });

  it("convicts a leader of two new-views of one height and view, once", () => {
    heard.note(LEADER, newView(LEADER, [viewChange(FRIEND), viewChange(OTHER)]));
    for (let i = 0; i < 3; i++) heard.note(LEADER, newView(LEADER, [viewChange(FRIEND), viewChange(LIAR)]));
    expect(kinds()).to.deep.equal([["double-new-view", LEADER]]);
    expect(found.every(isGenuine)).to.equal(true);
  });

  it("convicts a leader of the new-view that it told another, whoever of the two shows it first", () => {
    const [told, toldOthers] = [FRIEND, OTHER].map((node) => newView(LIAR, [viewChange(node)])) as [NewView, NewView];
    heard.note(FRIEND, shown(toldOthers));
    expect(found, "what others show is not kept").to.deep.equal([]);
    heard.note(LIAR, told);
    heard.note(FRIEND, shown(told));
    expect([found, verified]).to.deep.equal([[], 0]);
    for (const peer of [FRIEND, OTHER]) heard.note(peer, shown(toldOthers));
    expect(kinds()).to.deep.equal([["double-new-view", LIAR]]);
    expect(found.every(isGenuine)).to.equal(true);
  });

  it("convicts no leader by a new-view that it never signed, or by those of two heights, and looks at few of them", () => {
    const told = newView(LEADER, [viewChange(FRIEND)], { view: 4 });
    heard.note(LEADER, told);
    heard.note(LIAR, shown(newView(LEADER, [], { view: 4, height: 11 })));
    heard.note(parseNodeId("stranger"), shown(newView(LEADER, [], { view: 4 })));
    expect(verified).to.equal(0);
    for (let i = 0; i < 50; i++) heard.note(LIAR, shown({ ...told, viewChanges: [], signature: new Uint8Array(64).fill(i) }));
    expect([found, verified]).to.deep.equal([[], 8]);
    heard.note(OTHER, shown(newView(LEADER, [], { view: 4 })));
    expect(kinds(), "others are heard all the same").to.deep.equal([["double-new-view", LEADER]]);
  });

  it("convicts nobody by a forgery, a stranger's word, or another epoch's, and is not hidden by a forgery that came first", () => {
    heard.note(FRIEND, commit(FRIEND));
    heard.note(LIAR, newView(LIAR, [{ ...viewChange(FRIEND), signature: viewChange(LIAR).signature }]));
    heard.note(LIAR, viewChange(FRIEND));
    heard.note(FRIEND, viewChange(FRIEND, { epoch: 1 }));
    expect(found).to.deep.equal([]);
    heard.note(LIAR, commit(LIAR, { signature: new Uint8Array(64) }));
    heard.note(LIAR, commit(LIAR));
    heard.note(LIAR, viewChange(LIAR));
    expect(kinds()).to.deep.equal([["hidden-certificate", LIAR]]);
  });

  it("costs a bounded number of verifications between two decisions, whatever a peer brings", () => {
    heard.note(FRIEND, commit(FRIEND));
    const forge = (fill: number): ViewChange => viewChange(FRIEND, { signature: new Uint8Array(64).fill(fill) });
    for (let i = 0; i < 50; i++) heard.note(LIAR, newView(LIAR, [forge(i)], { height: 100 + i }));
    expect(verified).to.equal(8);
    heard.onApplied();
    heard.note(LIAR, newView(LIAR, [forge(1)], { height: 99 }));
    expect(verified).to.equal(9);
    heard.note(OTHER, newView(OTHER, [viewChange(FRIEND)]));
    expect(kinds(), "others are heard all the same").to.deep.equal([["hidden-certificate", FRIEND]]);
  });
});
