import {
  type Accusation,
  encodeCommand,
  encodeSignedCommand,
  findMember,
  type Hash,
  type NodeId,
  type PublicKey,
  parseSubjectId,
  signedBytes,
  signedCommandOf,
  toBase64Url,
  type VoteAccusation,
  type VoteStatement,
  votePurpose,
} from "#base";
import { type SeenVote, seenVoteOf } from "#consensus";
import { encodeFrame } from "#replica";
import { evidenceRecordBody } from "#state";
import { ViewsHeard } from "./accuse-views.ts";
import type { Actor, ActorPorts } from "./actor.ts";
import { signVote } from "./votes.ts";

const KEPT = 64;
const REPORTS_MAX = 12;
const LIFETIME_US = 20_000_000;

/** A vote that it heard, and from whom. */
interface Heard {
  readonly node: NodeId;
  readonly vote: SeenVote;
}

/** Accuses honest nodes: by true votes and view changes that contradict nothing, by votes of its own under their names, by words put into their mouths. */
export const accusing: Actor = (ports) => {
  const { random } = ports;
  const heard: Heard[] = [];
  const views = new ViewsHeard(ports);
  let reports = 0;
  let viewReports = 0;
  return {
    incoming: (from, frame) => {
      const message = ports.frames.messageOf(frame);
      const vote = message === undefined ? undefined : seenVoteOf(message, ports.hasher);
      if (message !== undefined) views.note(from, message);
      if (message?.type === "view-change" && viewReports < REPORTS_MAX && random.chance(0.5)) {
        const accusation = views.accusation();
        if (accusation !== undefined) {
          viewReports += 1;
          ports.deviates();
          submit(ports, accusation);
        }
      }
      if (vote === undefined) return [frame];
      heard.push({ node: from, vote });
      if (heard.length > KEPT) heard.shift();
      if (reports < REPORTS_MAX && random.chance(0.05)) {
        reports += 1;
        accuse(ports, heard);
      }
      return [frame];
    },
  };
};

function accuse(ports: ActorPorts, heard: readonly Heard[]): void {
  const { random, peers } = ports;
  const one = random.pick(heard);
  const same = heard.filter(({ node, vote }) => node === one.node && vote.epoch === one.vote.epoch);
  const other = random.pick(same);
  const invented = { ...one.vote, digest: ports.cluster };
  const signed = (vote: SeenVote): SeenVote => ({ ...vote, signature: signVote(ports, vote) });
  const victim = findMember(ports.membership, one.node);
  if (victim === undefined) return;
  ports.deviates();
  const ownKey = ports.keys.keyOf(`${ports.node}/vote`).publicKey;
  const second = random.pick([other.vote, signed(invented), invented]);
  if (random.chance(0.3)) {
    const frame = encodeFrame({ kind: "heard", votes: [{ node: one.node, vote: second }] });
    for (const peer of peers) ports.send(peer, frame);
    return;
  }
  const accusation = random.pick([
    accusationOf({ node: one.node, key: victim.keys.vote }, [one.vote, second], random.chance(0.3)),
    // Sound but for one thing: the key is not the accused's.
    accusationOf({ node: one.node, key: ownKey }, [signed(one.vote), signed(invented)], false),
  ]);
  submit(ports, accusation);
}

function submit(ports: ActorPorts, accusation: Accusation): void {
  const frame = encodeFrame({ kind: "commands", commands: [report(ports, accusation)] });
  for (const peer of ports.peers) ports.send(peer, frame);
}

function accusationOf(
  accused: { readonly node: NodeId; readonly key: PublicKey },
  [first, second]: readonly [SeenVote, SeenVote],
  amnesia: boolean,
): VoteAccusation {
  const kind = amnesia ? "amnesia" : votePurpose(first.type) === "proposal" ? "double-proposal" : "double-vote";
  const statement = ({ epoch: _epoch, ...vote }: SeenVote): VoteStatement => vote;
  return { kind, epoch: first.epoch, ...accused, first: statement(first), second: statement(second) };
}

function report(ports: ActorPorts, accusation: Accusation): Uint8Array {
  const { node, hasher, random } = ports;
  const gateway = ports.keys.keyOf(`${node}/gateway`);
  const issuedAtUs = ports.nowUs();
  const cluster: Hash = ports.cluster;
  const bytes = encodeCommand({
    cluster,
    kind: "evidence.record",
    id: toBase64Url(random.bytes(16)),
    issuer: parseSubjectId(node),
    key: gateway.publicKey,
    issuedAtUs,
    expiresAtUs: issuedAtUs + LIFETIME_US,
    body: evidenceRecordBody(accusation),
  });
  return encodeSignedCommand(signedCommandOf(hasher, { bytes, signature: gateway.sign(signedBytes("command", bytes)) }));
}
