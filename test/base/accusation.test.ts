import { expect } from "chai";
import fc from "fast-check";
import {
  ACCUSATION_KINDS,
  type Accusation,
  accusationClaims,
  accusationName,
  accusationToCanonical,
  type CanonicalObject,
  checkpointText,
  contradicts,
  decodeUtf8,
  encodeCanonical,
  encodeNewViewBody,
  encodeUtf8,
  encodeViewChangeBody,
  encodeVoteBody,
  fromHex,
  type Hash,
  hashNode,
  LIMITS,
  type NewViewStatement,
  parseCanonical,
  parseHash,
  parseNodeId,
  parsePublicKey,
  portableHasher,
  readAccusation,
  signedBytes,
  toBase64Url,
  toHash,
  toHex,
  type ViewChangeStatement,
  VOTE_TYPE,
  type VoteStatement,
} from "#base";

const CLUSTER = parseHash("c".repeat(64));
const ORIGIN = "bank.example/audit/cccccccc/2026h2";
const key = (byte: number): Accusation["key"] => parsePublicKey(toBase64Url(new Uint8Array(32).fill(byte)));
const hash = (digit: string): Hash => parseHash(digit.repeat(64));
const accused = { epoch: 2, node: parseNodeId("node-3"), key: key(3) };

function vote(change: Partial<VoteStatement> = {}): VoteStatement {
  const signature = new Uint8Array(64).fill(change.digest === undefined ? 1 : 2);
  return { type: VOTE_TYPE.pbftPrepare, height: 9, view: 4, digest: hash("a"), validRound: -1, signature, ...change };
}

function root(size: number, digit: string): { size: number; root: Hash; signature: Uint8Array } {
  return { size, root: hash(digit), signature: new Uint8Array(64).fill(5) };
}

function viewChange(change: Partial<ViewChangeStatement> = {}): ViewChangeStatement {
  return { height: 9, view: 6, parent: hash("9"), prepared: [], signature: new Uint8Array(64).fill(6), ...change };
}

/** A prepared certificate that a view change names. */
function named(height: number, view: number, digit = "a"): ViewChangeStatement["prepared"][number] {
  return { height, view, digest: hash(digit), certificate: hash("e") };
}

function newView(...senders: readonly number[]): NewViewStatement {
  const viewChanges = senders.map((n) => ({ node: parseNodeId(`node-${n}`), signature: new Uint8Array(64).fill(n) }));
  return { height: 9, view: 6, viewChanges, signature: new Uint8Array(64).fill(7) };
}

const COMMIT = VOTE_TYPE.pbftCommit;
const PREVOTE = VOTE_TYPE.tendermintPrevote;
const PRECOMMIT = VOTE_TYPE.tendermintPrecommit;

/** One sound piece of each kind. */
const SOUND: readonly Accusation[] = [
  { kind: "double-vote", ...accused, first: vote(), second: vote({ digest: hash("b") }) },
  {
    kind: "double-proposal",
    ...accused,
    first: vote({ type: VOTE_TYPE.tendermintPropose }),
    second: vote({ type: VOTE_TYPE.tendermintPropose, validRound: 1 }),
  },
  {
    kind: "amnesia",
    ...accused,
    first: vote({ type: PRECOMMIT }),
    second: vote({ type: PREVOTE, view: 6, digest: hash("b"), validRound: 3 }),
  },
  { kind: "conflicting-checkpoints", ...accused, origin: ORIGIN, first: root(7, "1"), second: root(7, "2") },
  {
    kind: "false-endorsement",
    ...accused,
    origin: ORIGIN,
    first: root(7, "1"),
    certified: {
      size: 7,
      root: hash("2"),
      endorsers: [1, 2, 4].map((n) => ({ node: parseNodeId(`node-${n}`), key: key(n), signature: new Uint8Array(64) })),
    },
  },
  { kind: "hidden-certificate", ...accused, first: vote({ type: COMMIT }), second: viewChange({ prepared: [named(9, 3)] }) },
  { kind: "double-view-change", ...accused, first: viewChange(), second: viewChange({ prepared: [named(9, 3), named(10, 5)] }) },
  { kind: "double-new-view", ...accused, first: newView(1, 2, 4), second: newView(1, 2, 3) },
];

/** A longer log that had another root where it had the size that the accused signed. */
const LONGER = {
  ...(SOUND[4] as Extract<Accusation, { kind: "false-endorsement" }>),
  first: root(2, "1"),
  certified: { size: 3, root: toHash(hashNode(portableHasher, fromHex(hash("2")), fromHex(hash("3")))), endorsers: [] },
  prefix: { root: hash("2"), path: [fromHex(hash("3"))] },
};

function contradictsVotes(kind: "double-vote" | "double-proposal" | "amnesia", first: VoteStatement, second: VoteStatement): boolean {
  return contradicts({ kind, ...accused, first, second });
}

describe("evidence as bytes", () => {
  it("has each kind, reads back what was written, and proves what it says", () => {
    expect(SOUND.map(({ kind }) => kind)).to.deep.equal([...ACCUSATION_KINDS]);
    for (const accusation of SOUND) {
      const bytes = encodeCanonical(accusationToCanonical(accusation));
      expect(readAccusation(parseCanonical(bytes))).to.deep.equal(accusation);
      expect(contradicts(accusation), accusation.kind).to.equal(true);
    }
  });

  it("proves a false root by a longer log too, and by nothing that does not lead there", () => {
    expect(readAccusation(parseCanonical(encodeCanonical(accusationToCanonical(LONGER))))).to.deep.equal(LONGER);
    expect(contradicts(LONGER)).to.equal(true);
    const { prefix } = LONGER;
    expect(contradicts({ ...LONGER, first: root(2, "2") }), "the root that it had").to.equal(false);
    expect(contradicts({ ...LONGER, prefix: { ...prefix, root: hash("4") } }), "another root than it had").to.equal(false);
    expect(contradicts({ ...LONGER, prefix: { ...prefix, path: [] } }), "no proof").to.equal(false);
    for (const size of [0, 3, 4]) expect(contradicts({ ...LONGER, first: root(size, "1") }), `size ${size}`).to.equal(false);
  });

  it("asks for the signatures of the very statements, under the key that it names", () => {
    for (const accusation of SOUND) {
      const claims = accusationClaims(CLUSTER, accusation);
      expect(claims.length).to.equal(accusation.kind === "false-endorsement" ? 4 : 2);
      expect(claims[0]?.publicKey).to.deep.equal(new Uint8Array(32).fill(3));
    }
    const [votes, , , roots] = SOUND.map((accusation) => accusationClaims(CLUSTER, accusation)[1]?.message);
    const body = {
      cluster: new Uint8Array(32).fill(0xcc),
      epoch: 2,
      height: 9,
      view: 4,
      digest: new Uint8Array(32).fill(0xbb),
      validRound: -1,
    };
    const [hidden, again, leads] = SOUND.slice(5).map((accusation) => accusationClaims(CLUSTER, accusation)[1]?.message);
    const speaker = { cluster: CLUSTER, epoch: 2, node: accused.node };
    expect(hidden).to.deep.equal(signedBytes("view-change", encodeViewChangeBody(speaker, viewChange({ prepared: [named(9, 3)] }))));
    expect(again).to.not.deep.equal(hidden);
    expect(leads).to.deep.equal(signedBytes("new-view", encodeNewViewBody(speaker, newView(1, 2, 3))));
    expect(votes).to.deep.equal(signedBytes("vote", encodeVoteBody({ ...body, type: VOTE_TYPE.pbftPrepare })));
    expect(roots).to.deep.equal(encodeUtf8(checkpointText({ origin: ORIGIN, size: 7, root: hash("2") })));
  });

  it("has view changes and new-views signed in the layout that the formats give", () => {
    const u64 = (value: number): string => value.toString(16).padStart(16, "0");
    const u32 = (value: number): string => value.toString(16).padStart(8, "0");
    const text = (value: string): string => u32(value.length) + Buffer.from(value).toString("hex");
    const speaker = { cluster: CLUSTER, epoch: 2, node: accused.node };
    const place = CLUSTER + u64(2) + u64(9) + u64(6);
    const certificate = u64(10) + u64(5) + hash("a") + hash("e");
    expect(toHex(encodeViewChangeBody(speaker, viewChange({ prepared: [named(10, 5)] })))).to.equal(
      `${place}${text("node-3")}${text(hash("9"))}01${certificate}`,
    );
    expect(toHex(encodeNewViewBody(speaker, newView(1, 4)))).to.equal(
      `${place}${u32(2)}${text("node-1")}${"01".repeat(64)}${text("node-4")}${"04".repeat(64)}`,
    );
  });

  it("is known by epoch, node, kind and slot, whichever statement comes first and whatever it says", () => {
    const [first] = SOUND;
    if (first?.kind !== "double-vote") throw new Error("the first is of votes");
    const turned: Accusation = { ...first, first: first.second, second: vote({ digest: hash("d") }) };
    expect(accusationName(turned)).to.equal(accusationName(first));
    expect(new Set(SOUND.map(accusationName)).size).to.equal(SOUND.length);
    expect(accusationName({ ...first, epoch: 3 })).to.not.equal(accusationName(first));
  });

  it("convicts nobody whose statements an honest node may make", () => {
    const other = hash("b");
    expect(contradictsVotes("double-vote", vote(), vote())).to.equal(false);
    for (const change of [{ height: 10 }, { view: 5 }, { type: VOTE_TYPE.pbftCommit }])
      expect(contradictsVotes("double-vote", vote(), vote({ digest: other, ...change })), JSON.stringify(change)).to.equal(false);
    const proposals = [VOTE_TYPE.pbftPropose, VOTE_TYPE.tendermintPropose];
    for (const type of proposals) expect(contradictsVotes("double-vote", vote({ type }), vote({ type, digest: other }))).to.equal(false);
    expect(contradictsVotes("double-proposal", vote(), vote({ digest: other }))).to.equal(false);
    const precommit = vote({ type: PRECOMMIT });
    const late = { type: PREVOTE, view: 6, digest: other, validRound: -1 };
    const allowed = [
      { ...late, validRound: 4 },
      { ...late, validRound: 5 },
      { ...late, view: 4 },
      { ...late, view: 3 },
      { ...late, height: 10 },
      { ...late, digest: hash("a") },
      { ...late, type: VOTE_TYPE.tendermintPrevoteNil },
      { ...late, type: PRECOMMIT },
    ];
    for (const change of allowed) expect(contradictsVotes("amnesia", precommit, vote(change)), JSON.stringify(change)).to.equal(false);
    expect(contradictsVotes("amnesia", vote({ type: VOTE_TYPE.tendermintPrecommitNil }), vote(late))).to.equal(false);
    expect(contradictsVotes("amnesia", precommit, vote(late))).to.equal(true);
    const roots = { kind: "conflicting-checkpoints", ...accused, origin: ORIGIN, first: root(7, "1") } as const;
    expect(contradicts({ ...roots, second: root(7, "1") })).to.equal(false);
    expect(contradicts({ ...roots, second: root(8, "2") })).to.equal(false);
  });

  it("convicts who hides a certificate that it committed, and no view change that an honest node may sign", () => {
    const hides = (commit: Partial<VoteStatement>, said: Partial<ViewChangeStatement>, window = 4): boolean => {
      const pair = { first: vote({ type: COMMIT, ...commit }), second: viewChange(said) };
      return contradicts({ kind: "hidden-certificate", ...accused, ...pair }, window);
    };
    expect(hides({}, {})).to.equal(true);
    expect(hides({}, { prepared: [named(9, 3)] }), "an older one than it committed").to.equal(true);
    expect(hides({}, { prepared: [named(8, 5), named(10, 5)] }), "of other heights").to.equal(true);
    expect(hides({}, { height: 6 }), "in flight").to.equal(true);
    expect(hides({}, { prepared: [named(9, 4)] }), "the one that it committed").to.equal(false);
    expect(hides({}, { prepared: [named(9, 5, "b")] }), "one of a later view, for whatever value").to.equal(false);
    expect(hides({}, { height: 10 }), "the height is decided").to.equal(false);
    expect(hides({}, { height: 5 }), "beyond the window: a lost memory may be between them").to.equal(false);
    expect(hides({}, { height: 8 }, 1), "one height in flight").to.equal(false);
    for (const view of [3, 4]) expect(hides({}, { view }), "the vote may have come later").to.equal(false);
    for (const type of [VOTE_TYPE.pbftPrepare, VOTE_TYPE.pbftPropose, PRECOMMIT])
      expect(hides({ type }, {}), "only who commits holds a certificate").to.equal(false);
  });

  it("convicts of two view changes or new-views only of one height and view, that say different things", () => {
    const views = (first: ViewChangeStatement, second: ViewChangeStatement): boolean =>
      contradicts({ kind: "double-view-change", ...accused, first, second });
    const resigned = new Uint8Array(64).fill(9);
    expect(views(viewChange(), viewChange({ parent: hash("8") }))).to.equal(true);
    expect(views(viewChange({ prepared: [named(9, 3)] }), viewChange({ prepared: [named(9, 3, "b")] }))).to.equal(true);
    expect(views(viewChange(), viewChange({ signature: resigned }))).to.equal(false);
    for (const change of [{ height: 10 }, { view: 7 }])
      expect(views(viewChange(), viewChange({ parent: hash("8"), ...change }))).to.equal(false);
    const leads = (second: NewViewStatement): boolean =>
      contradicts({ kind: "double-new-view", ...accused, first: newView(1, 2, 4), second });
    expect(leads(newView(1, 2, 3, 4))).to.equal(true);
    expect(leads({ ...newView(1, 2, 4), signature: resigned })).to.equal(false);
    for (const change of [{ height: 10 }, { view: 7 }]) expect(leads({ ...newView(1, 2, 3), ...change })).to.equal(false);
  });

  it("counts a vote and its nil form as one slot", () => {
    const nil = vote({ type: VOTE_TYPE.tendermintPrevoteNil, digest: hash("0") });
    expect(contradictsVotes("double-vote", vote({ type: PREVOTE }), nil)).to.equal(true);
    expect(contradictsVotes("double-vote", vote({ type: PRECOMMIT }), nil)).to.equal(false);
  });
});

describe("hostile bytes of evidence", () => {
  const written = SOUND.map(accusationToCanonical);

  it("are refused field by field: missing, unknown, of another type, or out of bounds", () => {
    for (const object of written) {
      for (const name of Object.keys(object)) {
        const { [name]: _gone, ...rest } = object;
        expect(() => readAccusation(rest), `without ${name}`).to.throw();
        for (const value of [null, "", -1, 256, [], {}, true]) {
          if (name === "epoch" && value === 256) continue;
          expect(() => readAccusation({ ...object, [name]: value } as CanonicalObject), `${name} ${JSON.stringify(value)}`).to.throw();
        }
      }
      expect(() => readAccusation({ ...object, more: 1 })).to.throw();
      expect(() => readAccusation({ ...object, v: 2 })).to.throw();
    }
  });

  it("are refused as statements too: other types, long signatures, other logs, too many endorsers", () => {
    const [votes, , , roots, endorsed] = written;
    const statement = votes?.["first"] as CanonicalObject;
    for (const change of [
      { type: 0 },
      { type: 9 },
      { validRound: -2 },
      { height: 1.5 },
      { signature: "AAAA" },
      { digest: "A".repeat(64) },
      { x: 1 },
    ])
      expect(() => readAccusation({ ...votes, first: { ...statement, ...change } } as CanonicalObject), JSON.stringify(change)).to.throw();
    for (const origin of [
      "",
      "bank.example/audit/cccccccc/2026h3",
      "bank.example/audit/cccccccc/2026h2\n9\nx",
      `${"a".repeat(300)}/audit/cccccccc/2026h2`,
    ])
      expect(() => readAccusation({ ...roots, origin } as CanonicalObject), origin).to.throw();
    const certified = endorsed?.["certified"] as { readonly endorsers: readonly CanonicalObject[] };
    const [endorser] = certified.endorsers;
    const [, , , , , hidden, , leads] = written;
    const said = hidden?.["second"] as { readonly prepared: readonly CanonicalObject[] } & CanonicalObject;
    for (const change of [
      { prepared: Array.from({ length: LIMITS.windowMax + 1 }, () => said.prepared[0]) },
      { prepared: [{ ...said.prepared[0], more: 1 }] },
      { prepared: [{ ...said.prepared[0], digest: "a" }] },
      { prepared: [{}] },
      { parent: "" },
      { view: -1 },
      { signature: "AAAA" },
    ])
      expect(() => readAccusation({ ...hidden, second: { ...said, ...change } } as CanonicalObject), JSON.stringify(change)).to.throw();
    const lead = leads?.["second"] as { readonly viewChanges: readonly CanonicalObject[] } & CanonicalObject;
    for (const viewChanges of [Array.from({ length: LIMITS.membersMax + 1 }, () => lead.viewChanges[0]), [{ node: "node-1" }], [1]])
      expect(() => readAccusation({ ...leads, second: { ...lead, viewChanges } } as CanonicalObject)).to.throw();
    const crowd = Array.from({ length: 32 }, () => endorser);
    expect(() => readAccusation({ ...endorsed, certified: { ...certified, endorsers: crowd } } as unknown as CanonicalObject)).to.throw();
  });

  it("throw nothing but coded errors, whatever they are", () => {
    const text = fc.constantFrom(...written.map((object) => decodeUtf8(encodeCanonical(object))));
    const edit = fc.tuple(text, fc.nat(), fc.nat({ max: 60 }), fc.string({ maxLength: 8 }));
    fc.assert(
      fc.property(edit, ([whole, from, count, put]) => {
        const at = from % whole.length;
        try {
          const accusation = readAccusation(parseCanonical(encodeUtf8(whole.slice(0, at) + put + whole.slice(at + count))));
          contradicts(accusation);
          accusationClaims(CLUSTER, accusation);
          accusationName(accusation);
        } catch (error) {
          expect(error).to.have.property("code");
        }
      }),
    );
  });
});
