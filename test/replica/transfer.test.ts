import { expect } from "chai";
import { LIMITS, type NodeId, QuorumgateError, type SignatureClaim } from "#base";
import { decodeMessage, encodeMessage } from "#consensus";
import { type CheckedOffer, decodeOffer, encodeCosignatures, encodeOffer, type Frame } from "#replica";
import { itemsOf, type StatePart } from "#state";
import { hasher } from "../state/ledger-kit.ts";
import { PEERS, Receiver, Source, SYNC_TIMEOUT_MS } from "./transfer-kit.ts";

const [HONEST, SLOW, OTHER] = PEERS;
/** Enough for a state of several parts, each of at most 1 MiB. */
const SERVICES = 2_500;

describe("fetching a state", function () {
  this.timeout(20_000);
  let source: Source;
  let receiver: Receiver;
  const honest = (request: Frame): Frame => source.answer(request);

  before(async () => {
    source = (await Source.open()).grow(SERVICES);
  });
  beforeEach(async () => {
    receiver = await Receiver.of(source);
  });

  it("ends with the state and the log that the seal proves", () => {
    receiver.transfer.begin(HONEST, source.offer());
    expect(receiver.serve(HONEST, honest)).to.be.greaterThan(10);
    const [fetched] = receiver.fetched;
    if (fetched === undefined) throw new Error("nothing was fetched");
    const { offer, items, adoption } = fetched;
    expect(offer.tip.height).to.equal(source.ledger.tip.height);
    expect(items.length).to.be.greaterThan(SERVICES);
    expect(adoption.log.point).to.deep.equal(source.ledger.log.point);
    receiver.ledger.install(offer, { items, adoption });
    expect(receiver.ledger.state.stateRoot()).to.equal(source.ledger.state.stateRoot());
    expect(receiver.ledger.state.stateHash).to.equal(source.ledger.state.stateHash);
    expect([receiver.complaints, receiver.resumed]).to.deep.equal([[], 0]);
  });

  /** Answers each request just before it would come again, with as little as proves right. @returns seconds until another peer is asked */
  function dawdle(answer: (request: Frame) => Frame): number {
    const started = receiver.timers.nowUs;
    for (let answers = 0; receiver.resumed === 0 && answers < 1_000; answers++) {
      receiver.timers.pass(SYNC_TIMEOUT_MS - 1);
      receiver.serve(SLOW, (request, at) => (at === 0 ? answer(request) : undefined));
    }
    return (receiver.timers.nowUs - started) / 1_000_000;
  }

  it("goes to another peer where one gives the log so slowly that it would keep this node away for weeks", () => {
    receiver.transfer.begin(SLOW, source.offer());
    receiver.serve(SLOW, (request) => (request.kind === "state-request" ? honest(request) : undefined));
    const seconds = dawdle((request) => honest(request.kind === "log-request" ? { ...request, last: request.seq } : request));
    expect(seconds).to.be.within(LIMITS.transferPatienceMs / 1_000, (4 * LIMITS.transferPatienceMs) / 1_000);
    expect([receiver.transfer.progress, receiver.complaints, receiver.resumed]).to.deep.equal([undefined, [], 1]);
  });

  it("goes to another peer where one gives the state so slowly, a few keys or a branch at a time", () => {
    const { ledger } = source;
    const small = ledger.stable.snapshot(ledger.tip.height, ledger.state, hasher);
    receiver.transfer.begin(SLOW, source.offer());
    const seconds = dawdle((request) => {
      if (request.kind !== "state-request") throw new Error("the state is not asked for");
      const { height, path } = request;
      return { kind: "state-part", height, path, part: small.part(path, 2_000) as StatePart };
    });
    expect(seconds).to.be.within(LIMITS.transferPatienceMs / 1_000, (2 * LIMITS.transferPatienceMs) / 1_000);
    expect([receiver.transfer.progress, receiver.complaints, receiver.resumed]).to.deep.equal([undefined, [], 1]);
  });

  it("tolerates a peer whose link is poor: it asks on for as long as that one gives what anybody can", () => {
    receiver.transfer.begin(SLOW, source.offer());
    const beforeUs = receiver.timers.nowUs;
    receiver.serve(SLOW, (request) => {
      receiver.timers.pass(SYNC_TIMEOUT_MS - 1);
      return honest(request);
    });
    expect(receiver.fetched).to.have.length(1);
    expect(receiver.timers.nowUs - beforeUs).to.be.greaterThan(10_000_000);
  });

  it("asks again where an answer is lost, and another peer after three silences", () => {
    receiver.transfer.begin(HONEST, source.offer());
    for (let silence = 1; silence <= 3; silence++) {
      expect(receiver.asked).to.have.length(silence);
      receiver.timers.pass(SYNC_TIMEOUT_MS);
    }
    expect([receiver.asked.length, receiver.resumed, receiver.transfer.progress]).to.deep.equal([3, 1, undefined]);
  });

  it("hears nobody but the peer that it asked, and of that one nothing but what it asked for", () => {
    receiver.transfer.begin(HONEST, source.offer());
    const [request] = receiver.asked;
    if (request?.frame.kind !== "state-request") throw new Error("the state is not asked for");
    const part = honest(request.frame);
    receiver.hear(OTHER, part);
    receiver.hear(HONEST, { ...(part as Extract<Frame, { kind: "state-part" }>), path: Uint8Array.of(1) });
    receiver.hear(HONEST, { kind: "log-part", seq: 0, entries: [new Uint8Array(4)], proof: [], objects: [] });
    expect([receiver.asked.length, receiver.complaints, receiver.resumed]).to.deep.equal([1, [], 0]);
  });

  it("takes no offer whose block has other commands than its header names", () => {
    const offer = decodeOffer(source.offer());
    const message = decodeMessage(offer.block);
    if (message.type !== "block") throw new Error("no block");
    const block = encodeMessage({ ...message, batch: [...message.batch, Uint8Array.of(1)] });
    receiver.transfer.begin(OTHER, encodeOffer({ ...offer, block }));
    expect(receiver.complaints).to.deep.equal([`${OTHER} SYNC_OFFER_INVALID`]);
    expect([receiver.asked.length, receiver.verified.length, receiver.resumed]).to.deep.equal([0, 0, 1]);
  });

  it("takes no offer whose checkpoint fewer than a quorum cosigned, or whose block fewer than a quorum decided, and looks at no signature of it", () => {
    const offer = decodeOffer(source.offer());
    const message = decodeMessage(offer.block);
    if (message.type !== "block") throw new Error("no block");
    const { certificate } = message;
    const { size, root } = offer.certified.point;
    const line = { size, root, seconds: 0, logSignature: new Uint8Array(64), witnessSignature: new Uint8Array(64) };
    const cosignatures = encodeCosignatures(PEERS.slice(1).map((node) => ({ node, ...line })));
    const lies = [
      { ...offer, certified: { ...offer.certified, cosignatures } },
      { ...offer, block: encodeMessage({ ...message, certificate: { ...certificate, votes: certificate.votes.slice(1) } }) },
    ];
    for (const [at, lie] of lies.entries()) {
      receiver.timers.pass(LIMITS.transferDistrustMs);
      receiver.transfer.begin(OTHER, encodeOffer(lie));
      expect(receiver.complaints).to.have.length(at + 1);
      expect([receiver.asked.length, receiver.verified.length]).to.deep.equal([0, 0]);
    }
  });

  it("looks at no further signatures of an offer once one is wrong, and at nothing from that peer for a while", () => {
    let looks = 0;
    receiver.isGood = () => ++looks < 1;
    receiver.transfer.begin(OTHER, source.offer());
    expect([receiver.verified.length, receiver.complaints, receiver.resumed]).to.deep.equal([1, [`${OTHER} SYNC_OFFER_INVALID`], 1]);
    receiver.isGood = () => true;
    receiver.transfer.begin(OTHER, source.offer());
    expect([receiver.verified.length, receiver.asked.length, receiver.resumed]).to.deep.equal([1, 0, 1]);
    receiver.timers.pass(SYNC_TIMEOUT_MS);
    expect(receiver.resumed, "asks another").to.equal(2);
    receiver.transfer.begin(HONEST, source.offer());
    expect(receiver.asked).to.have.length(1);
  });

  it("believes a peer again after a while", () => {
    receiver.isGood = () => false;
    receiver.transfer.begin(OTHER, source.offer());
    receiver.isGood = () => true;
    receiver.timers.pass(LIMITS.transferDistrustMs);
    receiver.transfer.begin(OTHER, source.offer());
    expect(receiver.asked).to.have.length(1);
  });

  it("hears no verdict on an offer that it has given up: it neither begins that attempt nor ends the next one", () => {
    receiver.verifiesLater = true;
    const [bad] = verdictsOf(OTHER);
    receiver.timers.pass(SYNC_TIMEOUT_MS);
    expect(receiver.resumed).to.equal(1);
    verdictsOf(HONEST);
    bad?.(false);
    expect(receiver.complaints).to.deep.equal([]);
    for (const good of receiver.verifications) good(true);
    expect(receiver.transfer.progress?.from).to.equal(HONEST);
    expect(receiver.asked.map(({ to }) => to)).to.deep.equal([HONEST]);
  });

  function verdictsOf(peer: NodeId): readonly ((good: boolean) => void)[] {
    receiver.transfer.begin(peer, source.offer());
    return [...receiver.verifications];
  }

  it("gives each step of an offer's signatures its own time", () => {
    receiver.verifiesLater = true;
    receiver.transfer.begin(HONEST, source.offer());
    for (let step = 0; receiver.verifications.length > step; step++) {
      receiver.timers.pass(SYNC_TIMEOUT_MS - 1);
      receiver.verifications[step]?.(true);
    }
    expect(receiver.verifications).to.have.length(2);
    expect([receiver.transfer.progress?.from, receiver.resumed]).to.deep.equal([HONEST, 0]);
  });

  it("blames no peer for an offer that blocks have overtaken", () => {
    const offer = decodeOffer(source.offer());
    receiver.transfer.begin(HONEST, encodeOffer({ ...offer, height: 0 }));
    expect([receiver.complaints, receiver.resumed]).to.deep.equal([[], 1]);
  });

  it("stops this node where its own disk fails, and blames nobody", () => {
    receiver.transfer.begin(HONEST, source.offer());
    receiver.store.get = () => {
      throw new QuorumgateError("STORAGE_CORRUPT", "planted");
    };
    receiver.serve(HONEST, honest);
    expect(receiver.halted).to.deep.equal(["the disk failed: STORAGE_CORRUPT"]);
    expect(receiver.complaints).to.deep.equal([]);
  });

  it("keeps what was proved of the state when an attempt fails, and asks the next peer for the rest", () => {
    receiver.transfer.begin(SLOW, source.offer());
    const all = receiver.serve(SLOW, (request, at) => (at < 10 ? honest(request) : undefined));
    expect(all).to.equal(10);
    const keys = receiver.transfer.progress?.stateKeys ?? 0;
    expect(keys).to.be.greaterThan(1_000);
    for (let silence = 0; silence < 3; silence++) receiver.timers.pass(SYNC_TIMEOUT_MS);
    receiver.asked.length = 0;
    receiver.transfer.begin(HONEST, source.offer());
    expect(receiver.transfer.progress?.stateKeys).to.equal(keys);
    const rest: string[] = [];
    receiver.serve(HONEST, (request) => {
      if (request.kind === "state-request") rest.push(request.path.join());
      return honest(request);
    });
    expect(rest).to.have.length(7);
    expect(receiver.fetched[0]?.items.length).to.equal([...itemsOf(source.ledger.state)].length);
  });
});

describe("an older offer than the one that a log was fetched for", () => {
  it("is passed over while others may make a newer one, so that the log does not begin again; not for ever", async () => {
    const newer = (await Source.open()).grow(6).grow(2).grow(2);
    const older = (await Source.open()).grow(6);
    const receiver = await Receiver.of(newer);
    receiver.transfer.begin(HONEST, newer.offer());
    receiver.serve(HONEST, (request) => {
      const part = newer.answer(request.kind === "log-request" ? { ...request, last: request.seq + 11 } : request);
      return request.kind === "log-request" && request.seq > 11 ? undefined : part;
    });
    const entries = receiver.transfer.progress?.entries ?? 0;
    expect(entries).to.be.greaterThan(older.ledger.log.nextSeq);
    receiver.timers.pass(3 * SYNC_TIMEOUT_MS);
    receiver.asked.length = 0;
    receiver.transfer.begin(OTHER, older.offer());
    expect([receiver.asked.length, receiver.transfer.progress, receiver.resumed]).to.deep.equal([0, undefined, 2]);
    receiver.transfer.begin(HONEST, newer.offer());
    expect(receiver.transfer.progress?.entries).to.equal(entries);
    receiver.timers.pass(3 * SYNC_TIMEOUT_MS);
    receiver.asked.length = 0;
    for (let offers = 0; receiver.asked.length === 0 && offers < 20; offers++) receiver.transfer.begin(OTHER, older.offer());
    receiver.serve(OTHER, (request) => older.answer(request));
    expect(receiver.fetched[0]?.offer.tip.height).to.equal(older.ledger.tip.height);
    expect(receiver.fetched[0]?.adoption.log.point).to.deep.equal(older.ledger.log.point);
    expect(receiver.complaints).to.deep.equal([]);
  });
});

describe("an offer of a state that a peer altered", () => {
  const nameOf = ({ publicKey, message, signature }: SignatureClaim): string => [publicKey, message.join(), signature.join()].join("/");

  it("is refused, or says the same about the state: whatever byte it is, nothing but what a quorum signed counts", async () => {
    const source = (await Source.open()).grow(6).grow(2);
    const whole = source.offer();
    const receiver = await Receiver.of(source);
    const signed = new Set<string>();
    receiver.isGood = (claim) => Boolean(signed.add(nameOf(claim)));
    const fetch = (): CheckedOffer => {
      receiver.serve(HONEST, (request) => source.answer(request));
      const { offer } = receiver.fetched.pop() ?? {};
      if (offer === undefined) throw new Error("nothing was fetched");
      return offer;
    };
    receiver.transfer.begin(HONEST, whole);
    const said = ({ tip: { certificate, ...tip }, stateRoot, stateHash, seal, trees }: CheckedOffer): unknown => [
      certificate?.digest,
      tip,
      stateRoot,
      stateHash,
      seal,
      [...trees].map(([shard, { size, root }]) => [shard, size, root]),
    ];
    const truth = said(fetch());
    receiver.isGood = (claim) => signed.has(nameOf(claim));
    let refused = 0;
    for (let at = 0; at < whole.length; at += at < 600 || at > whole.length - 900 ? 1 : 37) {
      receiver.timers.pass(LIMITS.transferDistrustMs);
      const altered = whole.slice();
      altered[at] = (altered[at] ?? 0) ^ (1 << (at % 8));
      receiver.transfer.begin(HONEST, altered);
      if (receiver.transfer.progress === undefined) refused += 1;
      else expect(said(fetch()), `byte ${at}`).to.deep.equal(truth);
    }
    expect(receiver.halted).to.deep.equal([]);
    expect(refused).to.be.greaterThan(1_000);
  }).timeout(20_000);
});
