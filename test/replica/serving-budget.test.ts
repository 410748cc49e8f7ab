import { expect } from "chai";
import { LIMITS, type NodeId, parseNodeId } from "#base";
import type { Frame } from "#replica";
import { type Alone, replicaAlone } from "./replica-alone.ts";

const ASKED = 1_000;
const ANSWERS_AT_ONCE = LIMITS.peerServedBytesMax / LIMITS.peerServedAnswerBytesMin;
const [ASKER, OTHER] = ["node-2", "node-3"].map(parseNodeId) as [NodeId, NodeId];

describe("a peer that asks for everything", () => {
  let node: Alone;
  const answers = (kind: Frame["kind"], to: NodeId): number =>
    node.said.filter((item) => item.frame.kind === kind && item.to === to).length;

  beforeEach(async () => {
    node = await replicaAlone();
  });
  afterEach(() => new Promise<void>((resolve) => node.replica.stop(resolve)));

  const questions: readonly Frame[] = [
    { kind: "sync-request", fromHeight: 1 },
    { kind: "probe", nonce: new Uint8Array(32) },
    { kind: "handover-request", epoch: 1 },
  ];
  for (const question of questions) {
    it(`gets no more than its share of answers to ${question.kind}, and the rest is counted against it`, () => {
      const answer = ({ "sync-request": "sync-response", probe: "probe-reply", "handover-request": "handover" } as const)[
        question.kind as "sync-request" | "probe" | "handover-request"
      ];
      for (let asked = 0; asked < ASKED; asked++) node.hear(ASKER, question);
      expect(answers(answer, ASKER)).to.be.within(1, ANSWERS_AT_ONCE);
      expect(node.complaints.filter((complaint) => complaint === `${ASKER} REQUEST_RATE_LIMITED`).length).to.be.at.least(
        ASKED - ANSWERS_AT_ONCE,
      );
      node.hear(OTHER, question);
      expect(answers(answer, OTHER), "of another peer").to.equal(1);
      const before = answers(answer, ASKER);
      node.passSeconds(1);
      node.hear(ASKER, question);
      expect(answers(answer, ASKER), "a second later").to.equal(before + 1);
    });
  }
});
