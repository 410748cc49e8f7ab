import { checkpointText, cosignatureSeconds, logSignatureMessage, shardAt, shardOrigin, witnessSignatureMessage } from "#audit";
import { toHash } from "#base";
import { decodeMessage, encodeMessage } from "#consensus";
import { encodeFrame, type Frame, probeReplyMessage } from "#replica";
import { type Actor, type ActorPorts, frameOf } from "./actor.ts";

type SyncResponse = Extract<Frame, { kind: "sync-response" }>;
type ProbeReply = Extract<Frame, { kind: "probe-reply" }>;

/** Names tips that do not exist, absurd ones, and then lower ones than before (CVE-2025-24371). */
export const lyingTips: Actor = (ports) => {
  const { random } = ports;
  return {
    outgoing: (_to, frame) => {
      const read = ports.frames.read(frame)?.frame;
      if (read?.kind !== "tip" || !random.chance(0.7)) return [frame];
      ports.deviates();
      const height = random.pick([0, Math.max(0, read.height - 3), read.height + 2, read.height + 500, 2 ** 48, Number.MAX_SAFE_INTEGER]);
      return [
        encodeFrame({
          ...read,
          height,
          floor: height < Number.MAX_SAFE_INTEGER ? height + 1 : 0,
          certifiedHeight: random.pick([0, read.certifiedHeight, height]),
          votes: !read.votes,
        }),
      ];
    },
  };
};

/** Lies to who is behind: wrong blocks, truncated ranges, blocks whose certificates are too short, nothing, or bytes that are none. */
export const lyingCatchUp: Actor = (ports) => ({
  outgoing: (_to, frame) => {
    const read = ports.frames.read(frame);
    if (read?.message?.type === "block") {
      ports.deviates();
      return [frameOf({ ...read.message, certificate: shortened(read.message.certificate) })];
    }
    if (read?.frame.kind !== "sync-response" || read.frame.blocks.length === 0) return [frame];
    ports.deviates();
    return [encodeFrame({ ...read.frame, blocks: lieAboutBlocks(ports, read.frame) })];
  },
});

function lieAboutBlocks({ random }: ActorPorts, { blocks }: SyncResponse): readonly Uint8Array[] {
  const first = blocks[0] ?? new Uint8Array(0);
  switch (random.below(6)) {
    case 0:
      return blocks.slice(1);
    case 1:
      return [...blocks].reverse();
    case 2:
      return blocks.map(() => first);
    case 3:
      return blocks.map((block) => {
        const message = decodeMessage(block);
        return message.type === "block" ? encodeMessage({ ...message, certificate: shortened(message.certificate) }) : block;
      });
    case 4: {
      const broken = first.slice();
      const at = random.below(broken.length);
      broken[at] = (broken[at] ?? 0) ^ 0x55;
      return [broken, ...blocks.slice(1)];
    }
    default:
      return [];
  }
}

function shortened<C extends { readonly votes: readonly unknown[] }>(certificate: C): C {
  return { ...certificate, votes: certificate.votes.slice(1) };
}

/** Cosigns another root of the log than its own, with both its keys: to some of the others, or to all. */
export const falseCheckpoints: Actor = (ports) => {
  const { random, trustDomain, cluster, hasher } = ports;
  const deceived = new Set(random.chance(0.5) ? ports.peers : random.shuffle(ports.peers).slice(0, 1));
  const keyOf = (role: string): ReturnType<ActorPorts["keys"]["keyOf"]> => ports.keys.keyOf(`${ports.node}/${role}`);
  return {
    outgoing: (to, frame) => {
      const read = ports.frames.read(frame)?.frame;
      if (read?.kind !== "cosignature" || !deceived.has(to)) return [frame];
      ports.deviates();
      const origin = shardOrigin({ trustDomain, cluster }, shardAt(read.seconds * 1_000_000));
      const size = random.chance(0.3) ? read.size + 1 : read.size;
      const root = toHash(hasher.sha256(new TextEncoder().encode(`${read.root} ${size}`)));
      const text = checkpointText({ origin, size, root });
      const seconds = cosignatureSeconds({ timeUs: read.seconds * 1_000_000 });
      const logSignature = keyOf("log").sign(logSignatureMessage(text));
      const witnessSignature = keyOf("witness").sign(witnessSignatureMessage({ text, seconds }));
      return [encodeFrame({ ...read, size, root, logSignature, witnessSignature })];
    },
  };
};

/** Tells a node that asks about its past what never was: no height at all, an old one, or that it saw nothing. */
export const lyingProbes: Actor = (ports) => {
  let oldest: ProbeReply | undefined;
  return {
    outgoing: (to, frame) => {
      const read = ports.frames.read(frame)?.frame;
      if (read?.kind !== "probe-reply") return [frame];
      oldest ??= read;
      ports.deviates();
      const lie = lieToProbe(ports, read, oldest);
      const message = probeReplyMessage({ cluster: ports.cluster, responder: ports.node, prober: to }, lie);
      return [encodeFrame({ ...lie, signature: ports.keys.keyOf(`${ports.node}/vote`).sign(message) })];
    },
  };
};

function lieToProbe({ random }: ActorPorts, { seen, ...reply }: ProbeReply, oldest: ProbeReply): ProbeReply {
  switch (random.below(4)) {
    case 0:
      return { ...reply, height: 0, certificate: new Uint8Array(0) };
    case 1:
      return { ...reply, height: oldest.height, certificate: oldest.certificate };
    case 2:
      return { ...reply, ...(seen === undefined ? {} : { seen: { ...seen, view: seen.view + 1 } }) };
    default:
      return { ...reply, height: reply.height + 1_000 };
  }
}
