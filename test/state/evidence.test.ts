import { expect } from "chai";
import {
  type Accusation,
  type AppliedBlock,
  accusationToCanonical,
  fromBase64Url,
  type Genesis,
  LIMITS,
  type PublicKey,
  parseHash,
  parseNodeId,
  type SignedCommand,
  VOTE_TYPE,
} from "#base";
import { commandClaims, evidenceRecordBody, LedgerState } from "#state";
import { hasher, keyOf, LedgerKit, makeGenesis, OPERATOR } from "./ledger-kit.ts";
import { MembershipKit, memberOf } from "./membership-kit.ts";

const LIAR = parseNodeId("node-3");
const ORIGIN = (kit: LedgerKit): string => `${kit.genesis.trustDomain}/audit/${kit.cluster.slice(0, 8)}/2027h1`;

function doubleVote(change: { height?: number; epoch?: number; key?: PublicKey; node?: string } = {}): Accusation {
  const { height = 5, epoch = 0, key = keyOf("node-3 vote"), node = LIAR } = change;
  const statement = (digit: string) =>
    ({
      type: VOTE_TYPE.pbftCommit,
      height,
      view: 0,
      digest: parseHash(digit.repeat(64)),
      validRound: -1,
      signature: new Uint8Array(64),
    }) as const;
  return { kind: "double-vote", epoch, node: parseNodeId(node), key, first: statement("a"), second: statement("b") };
}

function falseEndorsement(kit: LedgerKit, endorsers: readonly (readonly [string, PublicKey])[], origin: string = ORIGIN(kit)): Accusation {
  const signature = new Uint8Array(64);
  return {
    kind: "false-endorsement",
    epoch: 0,
    node: LIAR,
    key: keyOf("node-3 log"),
    origin,
    first: { size: 9, root: parseHash("1".repeat(64)), signature },
    certified: {
      size: 9,
      root: parseHash("2".repeat(64)),
      endorsers: endorsers.map(([node, key]) => ({ node: parseNodeId(node), key, signature })),
    },
  };
}

function report(kit: LedgerKit, accusation: Accusation, by = "node-1", key: PublicKey = keyOf(`${by} gateway`)): SignedCommand {
  return kit.command({ kind: "evidence.record", by, key, body: evidenceRecordBody(accusation) });
}

const codes = ({ results }: AppliedBlock): string[] => results.map(({ code }) => code);

describe("recorded evidence", () => {
  it("is one entry that holds the statements, whoever reports it and however often", () => {
    const kit = new LedgerKit();
    const applied = kit.apply([report(kit, doubleVote()), report(kit, doubleVote(), "node-2"), report(kit, doubleVote(), "node-4")]);
    expect(codes(applied)).to.deep.equal(["OK", "EVIDENCE_KNOWN", "EVIDENCE_KNOWN"]);
    expect(applied.entries.map(({ kind }) => kind)).to.deep.equal(["evidence", "block.sealed"]);
    const [entry] = applied.entries;
    expect(entry).to.include({ actor: "node-1", subject: LIAR, reason: "OK" });
    expect(entry?.content["request"]).to.deep.equal({ evidence: accusationToCanonical(doubleVote()) });
    expect(codes(kit.apply([report(kit, doubleVote(), "node-2")]))).to.deep.equal(["EVIDENCE_KNOWN"]);
    expect(kit.state.evidence()).to.have.length(1);
    expect(kit.state.evidence()[0]).to.include({ kind: "double-vote", node: LIAR, epoch: 0, about: 5, by: "node-1", height: 1 });
    expect(kit.state.isEvidenceSettled(doubleVote())).to.equal(true);
    expect(kit.state.isEvidenceSettled(doubleVote({ height: 6 }))).to.equal(false);
  });

  it("is taken from members of the epoch only, under their gateway keys, and these keys issue nothing else", () => {
    const kit = new LedgerKit();
    const unauthenticated = [
      report(kit, doubleVote(), "node-1", keyOf("node-1 vote")),
      report(kit, doubleVote(), "node-1", keyOf("node-2 gateway")),
      report(kit, doubleVote(), "stranger"),
      report(kit, doubleVote(), OPERATOR.id, keyOf(OPERATOR.id)),
      kit.command({ kind: "grant.revoke", by: "node-1", key: keyOf("node-1 gateway"), body: { grant: "a".repeat(64), reason: "x" } }),
    ];
    const applied = kit.apply(unauthenticated);
    expect(codes(applied)).to.deep.equal([
      "IDENTITY_KEY_MISMATCH",
      "IDENTITY_KEY_MISMATCH",
      "IDENTITY_UNKNOWN",
      "IDENTITY_UNKNOWN",
      "IDENTITY_UNKNOWN",
    ]);
    expect(applied.entries).to.have.length(1);
  });

  it("is refused and on record against who reports it when it convicts nobody", () => {
    const kit = new LedgerKit();
    const whole = doubleVote();
    const same = { ...whole, second: "second" in whole ? whole.first : undefined } as Accusation;
    const wrong: readonly Accusation[] = [
      same,
      doubleVote({ key: keyOf("node-2 vote") }),
      doubleVote({ key: keyOf("node-3 log") }),
      doubleVote({ node: "node-9" }),
      doubleVote({ epoch: 1 }),
    ];
    const applied = kit.apply(wrong.map((accusation) => report(kit, accusation, "node-2")));
    expect(new Set(codes(applied))).to.deep.equal(new Set(["EVIDENCE_INVALID"]));
    expect(applied.entries.slice(0, -1).map(({ kind, actor, reason }) => [kind, actor, reason])).to.deep.equal(
      wrong.map(() => ["evidence", "node-2", "EVIDENCE_INVALID"]),
    );
    expect(kit.state.evidence()).to.have.length(0);
    expect(kit.state.proposedRemovals()).to.have.length(0);
  });

  it("convicts of a false endorsement only beside a quorum of distinct members of this log", () => {
    const kit = new LedgerKit();
    const l = (node: string): readonly [string, PublicKey] => [node, keyOf(`${node} log`)];
    const wrong = [
      falseEndorsement(kit, [l("node-1"), l("node-2")]),
      falseEndorsement(kit, [l("node-1"), l("node-2"), l("node-2")]),
      falseEndorsement(kit, [l("node-1"), l("node-2"), ["node-4", keyOf("node-4 vote")]]),
      falseEndorsement(kit, [l("node-1"), l("node-2"), l("node-9")]),
      falseEndorsement(kit, [l("node-1"), l("node-2"), l("node-4")], "other.example/audit/00000000/2027h1"),
    ];
    expect(new Set(codes(kit.apply(wrong.map((accusation) => report(kit, accusation)))))).to.deep.equal(new Set(["EVIDENCE_INVALID"]));
    const sound = falseEndorsement(kit, [l("node-1"), l("node-2"), l("node-4")]);
    expect(codes(kit.apply([report(kit, sound)]))).to.deep.equal(["OK"]);
    expect(kit.state.evidence()[0]).to.include({ kind: "false-endorsement", about: 9 });
  });

  it("holds a view change to the heights that genesis lets be in flight", () => {
    const signature = new Uint8Array(64);
    const hidden = (height: number): Accusation => ({
      kind: "hidden-certificate",
      epoch: 0,
      node: LIAR,
      key: keyOf("node-3 vote"),
      first: { type: VOTE_TYPE.pbftCommit, height, view: 0, digest: parseHash("a".repeat(64)), validRound: -1, signature },
      second: { height: 5, view: 1, parent: parseHash("b".repeat(64)), prepared: [], signature },
    });
    const kit = new LedgerKit();
    const { window } = kit.genesis;
    expect(codes(kit.apply([hidden(5 + window), hidden(4 + window)].map((accusation) => report(kit, accusation))))).to.deep.equal([
      "EVIDENCE_INVALID",
      "OK",
    ]);
    expect(kit.state.evidence()[0]).to.include({ kind: "hidden-certificate", node: LIAR, about: 4 + window });
    expect(kit.state.proposedRemovals().map(({ node }) => node)).to.deep.equal([LIAR]);
  });

  it("stops at so many pieces of a kind, so that a liar does not fill the log", () => {
    const kit = new LedgerKit();
    const heights = Array.from({ length: LIMITS.evidencePerSeriesMax + 2 }, (_, index) => 10 + index);
    const applied = kit.apply(heights.map((height) => report(kit, doubleVote({ height }))));
    expect(codes(applied).filter((code) => code === "OK")).to.have.length(LIMITS.evidencePerSeriesMax);
    expect(codes(applied).slice(-2)).to.deep.equal(["EVIDENCE_KNOWN", "EVIDENCE_KNOWN"]);
    expect(kit.state.isEvidenceSettled(doubleVote({ height: 99 }))).to.equal(true);
  });

  it("means nothing under an engine that tolerates crashes only", () => {
    const kit = new LedgerKit("raft");
    expect(codes(kit.apply([report(kit, doubleVote())]))).to.deep.equal(["EVIDENCE_INVALID"]);
  });

  it("asks every replica for the accused's two signatures before it votes", () => {
    const kit = new LedgerKit();
    const { command } = report(kit, doubleVote());
    const claims = commandClaims(command, { issuers: [], operators: [], hasher });
    expect(claims.map(({ publicKey }) => publicKey)).to.deep.equal([
      fromBase64Url(keyOf("node-3 vote")),
      fromBase64Url(keyOf("node-3 vote")),
    ]);
  });

  it("comes back from the store, with its counts and its proposal", () => {
    const kit = new LedgerKit();
    kit.apply([report(kit, doubleVote()), report(kit, doubleVote({ height: 6 }))]);
    const restored = LedgerState.restore(kit.options(), kit.state.entries());
    expect(restored.evidence()).to.deep.equal(kit.state.evidence());
    expect(restored.proposedRemovals()).to.deep.equal(kit.state.proposedRemovals());
    expect(restored.stateRoot()).to.equal(kit.state.stateRoot());
    expect(restored.isEvidenceSettled(doubleVote())).to.equal(true);
  });
});

describe("the cluster's own proposal", () => {
  const five = (change: Partial<Genesis> = {}): MembershipKit => {
    const genesis = makeGenesis();
    return new MembershipKit({ membership: { epoch: 0, members: [...genesis.membership.members, memberOf("node-5")] }, ...change });
  };

  it("removes nobody: members stay who they are until operators approve it", () => {
    const kit = five();
    kit.apply([report(kit, doubleVote())]);
    for (let i = 0; i < 8; i++) kit.apply([]);
    expect(kit.state.pendingChange()).to.equal(undefined);
    expect(kit.state.membership().epoch).to.equal(0);
    expect(kit.state.proposedRemovals().map(({ node, code }) => [node, code])).to.deep.equal([[LIAR, "OK"]]);
  });

  it("is the very change that operators approve, and is gone when the node is", () => {
    const kit = five();
    kit.apply([report(kit, doubleVote())]);
    const [proposal] = kit.state.proposedRemovals();
    if (proposal === undefined) throw new Error("no proposal");
    expect(codes(kit.apply([kit.change(proposal.change, { approvedBy: [] })]))).to.deep.equal(["MEMBERSHIP_APPROVALS"]);
    expect(codes(kit.apply([kit.change(proposal.change)]))).to.deep.equal(["OK"]);
    expect(kit.state.proposedRemovals()).to.deep.equal([]);
    kit.activate();
    expect(kit.state.membership().members.map(({ id }) => id)).to.deep.equal(["node-1", "node-2", "node-4", "node-5"]);
  });

  it("says so where the rest would be too few", () => {
    const kit = new MembershipKit();
    kit.apply([report(kit, doubleVote())]);
    expect(kit.state.proposedRemovals().map(({ code }) => code)).to.deep.equal(["MEMBERSHIP_INVALID"]);
  });

  it("follows the epoch, waits while another change does, and expires", () => {
    const kit = five();
    kit.apply([report(kit, doubleVote())]);
    kit.apply([kit.change(kit.members({ reweight: [["node-1", 1]] }))]);
    expect(kit.state.proposedRemovals().map(({ code }) => code)).to.deep.equal(["MEMBERSHIP_IN_FLIGHT"]);
    kit.activate();
    expect(kit.state.proposedRemovals().map(({ change, code }) => [change.epoch, code])).to.deep.equal([[1, "OK"]]);
    kit.apply([], LIMITS.removalProposalUs);
    expect(kit.state.proposedRemovals()).to.deep.equal([]);
  });

  it("is not made for evidence of an epoch long gone", () => {
    const kit = five();
    for (let i = 0; i < 2; i++) {
      kit.apply([kit.change(kit.members({ reweight: [["node-1", 1]] }))]);
      kit.activate();
    }
    expect(kit.state.isEvidenceSettled(doubleVote())).to.equal(true);
    expect(codes(kit.apply([report(kit, doubleVote()), report(kit, doubleVote({ epoch: 1 }))]))).to.deep.equal(["EVIDENCE_STALE", "OK"]);
  });
});
