import { expect } from "chai";
import {
  encodeHeader,
  encodeVoteBody,
  fromHex,
  type Hash,
  headerDigest,
  LIMITS,
  merkleRoot,
  type NodeId,
  signedBytes,
  toHash,
  VOTE_TYPE,
  ZERO_HASH,
} from "#base";
import {
  type CommitCertificate,
  type ConsensusMessage,
  type Core,
  type CoreSnapshot,
  type Evidence,
  encodeCommitCertificate,
  encodeMessage,
} from "#consensus";
import { nodeHasher as hasher } from "#crypto";
import { CoreDriver, type CoreDriverPorts, WriteAhead, type WriteAheadOptions } from "#replica";
import { until } from "./live-cluster.ts";
import { type Alone, replicaAlone } from "./replica-alone.ts";

const REASON = "two certificates decide one height differently";

interface Block {
  readonly digest: Hash;
  readonly message: Extract<ConsensusMessage, { type: "block" }>;
}

for (const engine of ["pbft", "tendermint"] as const) {
  describe(`a replica that is shown a certificate of another block than it decided (${engine})`, function () {
    this.timeout(20_000);
    let alone: Alone;
    let first: Block;
    let second: Block;
    let other: CommitCertificate;

    beforeEach(async () => {
      alone = await replicaAlone(engine);
      first = block(1, ZERO_HASH);
      second = block(2, first.digest);
      other = block(1, ZERO_HASH, 7).message.certificate;
    });

    afterEach(() => new Promise<void>((resolve) => alone.replica.stop(resolve)));

    /** An empty block that all but this node decided. */
    function block(height: number, parent: Hash, laterUs = 0): Block {
      const { replica, members } = alone;
      const proposer = members[1]?.id as NodeId;
      const timeUs = 1_800_000_000_000_000 + height * 1_000 + laterUs;
      const commandsRoot = toHash(merkleRoot(hasher, []));
      const { certified, cluster } = replica.status();
      const header = { protocol: 1, cluster, epoch: 0, height, originView: 0, proposer, timeUs, parent, commandsRoot, certified };
      const headerBytes = encodeHeader(header);
      const digest = headerDigest(hasher, headerBytes);
      const type = engine === "pbft" ? VOTE_TYPE.pbftCommit : VOTE_TYPE.tendermintPrecommit;
      const body = encodeVoteBody({ cluster: fromHex(cluster), epoch: 0, height, view: 0, type, digest: fromHex(digest), validRound: -1 });
      const votes = members.slice(1).map(({ id: node, signer }) => {
        let signature = new Uint8Array(0);
        signer.sign("vote", signedBytes("vote", body), (made) => (signature = new Uint8Array(made)));
        return { node, signature };
      });
      return { digest, message: { type: "block", headerBytes, batch: [], certificate: { epoch: 0, height, view: 0, digest, votes } } };
    }

    function hear(message: ConsensusMessage): void {
      alone.hear(liar(), { kind: "consensus", message: encodeMessage(message) });
    }

    function liar(): NodeId {
      return alone.members[1]?.id as NodeId;
    }

    async function decide(...blocks: readonly Block[]): Promise<void> {
      for (const { message } of blocks) {
        hear(message);
        await until(() => alone.replica.status().tip.height === message.certificate.height);
      }
    }

    const ways: Record<string, () => void> = {
      "in the answer to a read": () => hear({ type: "height-reply", incarnation: 0, epoch: 0, round: 1, certificate: other }),
      "in the answer to a probe": () =>
        alone.hear(liar(), {
          kind: "probe-reply",
          nonce: new Uint8Array(32),
          epoch: 0,
          height: 1,
          certificate: encodeCommitCertificate(other),
          signature: new Uint8Array(64),
        }),
      "in a block": () => hear({ ...first.message, certificate: other }),
      ...(engine === "pbft"
        ? {
            "below a view change": () =>
              hear({
                type: "view-change",
                epoch: 0,
                height: 2,
                view: 1,
                parent: other.digest,
                prepared: [],
                tip: other,
                sender: liar(),
                signature: new Uint8Array(64),
              }),
          }
        : {
            "as votes that decided": () =>
              hear({
                type: "round-certificate",
                epoch: 0,
                height: 1,
                view: 1,
                votes: other.votes.map((vote) => ({ ...vote, round: 0, step: "precommit", digest: other.digest, validRound: -1 })),
              }),
          }),
    };

    for (const [way, show] of Object.entries(ways)) {
      it(`${way} keeps the proof against a third of the weight on its disk, and stops`, async () => {
        await decide(first);
        show();
        await until(() => alone.halted.length > 0);
        expect(alone.halted).to.deep.equal([REASON]);
        expect(alone.replica.status().evidenceHeld).to.equal(3);
        const kept: string[] = [];
        await new Promise((resolve) => alone.store.scan({ from: "x/", to: "x0" }, (key) => void kept.push(key), resolve));
        expect(kept).to.have.length(3);
      });
    }

    it("stops also for a height below its tip", async () => {
      await decide(first, second);
      hear({ type: "height-reply", incarnation: 0, epoch: 0, round: 1, certificate: other });
      await until(() => alone.halted.length > 0);
      expect(alone.halted).to.deep.equal([REASON]);
    });

    it("reads no more blocks for a peer than its share, and more of them with time", async () => {
      await decide(first, second);
      const { get } = alone.store;
      let reads = 0;
      alone.store.get = (key) => {
        if (key.startsWith("b/")) reads += 1;
        return get.call(alone.store, key);
      };
      const most = LIMITS.peerServedBytesMax / LIMITS.peerServedAnswerBytesMin;
      const show = (certificate: CommitCertificate): void => {
        for (let n = 0; n < 2 * most; n++) hear({ type: "height-reply", incarnation: 0, epoch: 0, round: 1, certificate });
      };
      show(first.message.certificate);
      expect(reads).to.equal(most);
      show(second.message.certificate);
      expect(reads).to.equal(most);
      alone.passSeconds(1);
      hear({ type: "height-reply", incarnation: 0, epoch: 0, round: 1, certificate: other });
      await until(() => alone.halted.length > 0);
      expect(alone.halted).to.deep.equal([REASON]);
    });

    it("goes on when the certificate is forged, short, or of the block that it decided", async () => {
      await decide(first);
      const { votes } = other;
      for (const lie of [
        { ...other, votes: votes.slice(1) },
        { ...other, votes: votes.map((vote) => ({ ...vote, signature: new Uint8Array(64) })) },
        { ...other, epoch: 1 },
        first.message.certificate,
      ]) {
        hear({ type: "height-reply", incarnation: 0, epoch: 0, round: 1, certificate: lie });
      }
      await decide(second);
      expect(alone.halted).to.deep.equal([]);
      expect(alone.replica.status().evidenceHeld).to.equal(0);
    });
  });
}

describe("a core that names somebody and stops the node at once", () => {
  it("has the proof written all the same, though something of before is still being written", () => {
    const steps: string[] = [];
    const evidence = { kind: "double-vote" } as Evidence;
    const core: Core = {
      step: () => [
        { type: "append", record: { key: "a", bytes: new Uint8Array(1) } },
        { type: "evidence", evidence },
        { type: "halt", reason: REASON },
      ],
      snapshot: () => ({ epoch: 0 }) as CoreSnapshot,
    };
    const store = { write: () => undefined };
    const anchor = { write: () => undefined };
    const count = { votes: 0, anchored: 0, owner: new Uint8Array(0) };
    const writeAhead = new WriteAhead({
      store,
      anchor,
      count,
      onFailure: () => undefined,
      onFault: () => undefined,
    } as unknown as WriteAheadOptions);
    const ports = {
      writeAhead,
      evidence: () => steps.push("evidence"),
      halt: () => {
        steps.push("halt");
        writeAhead.stop();
      },
    };
    new CoreDriver(core, ports as unknown as CoreDriverPorts, []).step({ type: "start" });
    expect(steps).to.deep.equal(["evidence", "halt"]);
  });
});
