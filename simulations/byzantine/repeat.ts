import { encodeFrame } from "#replica";
import { type Actor, type ActorPorts, frameOf } from "./actor.ts";
import { resign } from "./votes.ts";

const KEPT = 64;
/** Between two bursts of a flood. */
const BURST_MS = 10;

/** Says again what it and others said before, to everybody, as if it were new. */
export const replaying: Actor = (ports) => {
  const { random } = ports;
  const kept: Uint8Array[] = [];
  const keep = (frame: Uint8Array): void => {
    if (kept.length < KEPT) kept.push(frame);
    else kept[random.below(KEPT)] = frame;
  };
  return {
    outgoing: (_to, frame) => {
      keep(frame);
      if (!random.chance(0.25)) return [frame];
      ports.deviates();
      return [frame, random.pick(kept)];
    },
    incoming: (_from, frame) => {
      keep(frame);
      return [frame];
    },
  };
};

/** Small-scope mutations: its votes for the view or height beside the right one, or for a value of before, properly signed (ByzzFuzz). */
export const mutating: Actor = (ports) => {
  const { random } = ports;
  const digests: Parameters<typeof resign>[2]["digest"][] = [];
  return {
    outgoing: (_to, frame) => {
      const message = ports.frames.messageOf(frame);
      if (message === undefined) return [frame];
      if ("digest" in message) digests.push(message.digest);
      if (!random.chance(0.3) || !("view" in message)) return [frame];
      const old = digests.length === 0 ? undefined : random.pick(digests);
      const { height, view } = message;
      const change = random.pick([
        { view: view + 1 },
        { view: Math.max(0, view - 1) },
        { height: height + 1 },
        { height: Math.max(1, height - 1) },
        ...(old === undefined ? [] : [{ digest: old }]),
      ]);
      const lie = resign(ports, message, change);
      if (lie === undefined) return [frame];
      ports.deviates();
      return random.chance(0.5) ? [frameOf(lie)] : [frame, frameOf(lie)];
    },
  };
};

/** Sends many messages that cost their readers: votes for absurd heights and views, nonsense, requests for everything. */
export const flooding: Actor = (ports) => {
  const { framesMax, perSecond } = ports.flood;
  const burst = Math.ceil((perSecond * BURST_MS) / 1_000);
  let sent = 0;
  let last: Uint8Array | undefined;
  const pour = (): void => {
    const like = last;
    if (like !== undefined) {
      const rubbish = Array.from({ length: burst }, () => nonsense(ports, like)).flat();
      for (const peer of ports.peers) for (const frame of rubbish) ports.send(peer, frame);
      ports.deviates();
    }
    ports.later(BURST_MS, pour);
  };
  if (burst > 0) ports.later(BURST_MS, pour);
  return {
    outgoing: (_to, frame) => {
      last = frame;
      if (sent >= framesMax) return [frame];
      const rubbish = [0, 1, 2].flatMap(() => nonsense(ports, frame));
      sent += rubbish.length;
      if (rubbish.length > 0) ports.deviates();
      return [frame, ...rubbish];
    },
  };
};

/** One frame that no honest node would send. */
function nonsense(ports: ActorPorts, like: Uint8Array): Uint8Array[] {
  const { random } = ports;
  const message = ports.frames.messageOf(like);
  const far = random.pick([1, 2, 17, 1_000, 1_001, 2 ** 31, 2 ** 52, Number.MAX_SAFE_INTEGER]);
  switch (random.below(6)) {
    case 0:
      return [random.bytes(random.between(1, 300))];
    case 1:
      return [encodeFrame({ kind: "sync-request", fromHeight: random.pick([0, 1, far]) })];
    case 2:
      return [encodeFrame({ kind: "probe", nonce: random.bytes(32) })];
    case 3:
      return [like.subarray(0, random.below(like.length))];
    default: {
      if (message === undefined || !("view" in message)) return [];
      const lie = resign(ports, message, random.chance(0.5) ? { view: far } : { height: far });
      return lie === undefined ? [] : [frameOf(lie)];
    }
  }
}
