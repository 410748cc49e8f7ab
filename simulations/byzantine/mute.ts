import type { Actor } from "./actor.ts";

/** Hears everything and says nothing. */
export const silent: Actor = (ports) => ({
  outgoing: () => {
    ports.deviates();
    return [];
  },
});

/** Speaks to one half of the others only. */
export const selective: Actor = (ports) => {
  const shunned = new Set(ports.random.shuffle(ports.peers).slice(0, Math.ceil(ports.peers.length / 2)));
  return {
    outgoing: (to, frame) => {
      if (!shunned.has(to)) return [frame];
      ports.deviates();
      return [];
    },
  };
};

/** Slow but alive: everything that it says is late, and never so late that it seems gone (Aardvark's slow leader). */
export const slow: Actor = (ports) => {
  const delayMs = ports.random.between(40, 600);
  return {
    outgoing: (to, frame) => {
      ports.deviates();
      ports.later(delayMs, () => ports.send(to, frame));
      return [];
    },
  };
};

/** Keeps its votes back until they no longer help, and then sends them all. */
export const withholding: Actor = (ports) => {
  const delayMs = ports.random.between(800, 4_000);
  return {
    outgoing: (to, frame) => {
      const name = ports.frames.nameOf(frame);
      if (!["prepare", "commit", "prevote", "precommit", "view-change", "cosignature"].includes(name)) return [frame];
      ports.deviates();
      ports.later(delayMs, () => ports.send(to, frame));
      return [];
    },
  };
};

/** Never hears of some clients' commands: as a leader it leaves them out for ever. */
export const censoring: Actor = (ports) => ({
  incoming: (_from, frame) => {
    const read = ports.frames.read(frame);
    if (read?.frame.kind !== "commands") return [frame];
    ports.deviates();
    return [];
  },
});
