import type { SeededRandom } from "#base";
import { encodeFrame, type Frame } from "#replica";
import type { Actor } from "./actor.ts";

type Supplied = Extract<Frame, { kind: "state-offer" | "state-part" | "log-part" }>;

/** Lies to who needs its state: altered and outdated offers, parts with other keys, values, entries or proofs, or none. */
export const lyingState: Actor = (ports) => {
  const { random } = ports;
  let oldest: Supplied | undefined;
  return {
    outgoing: (_to, frame) => {
      const read = ports.frames.read(frame)?.frame;
      if (read === undefined || !isSupplied(read)) return [frame];
      if (oldest === undefined && read.kind === "state-offer") oldest = read;
      if (random.chance(0.3)) return [frame];
      ports.deviates();
      const lie = lieAbout(read, random);
      // An old offer is a true one, of a state that others have left behind.
      if (read.kind === "state-offer" && oldest?.kind === "state-offer" && random.chance(0.2))
        return [encodeFrame({ ...oldest, fromHeight: read.fromHeight })];
      return lie === undefined ? [] : [encodeFrame(lie)];
    },
  };
};

function isSupplied(frame: Frame): frame is Supplied {
  return frame.kind === "state-offer" || frame.kind === "state-part" || frame.kind === "log-part";
}

function lieAbout(frame: Supplied, random: SeededRandom): Supplied | undefined {
  switch (frame.kind) {
    case "state-offer":
      return random.chance(0.2) ? undefined : { ...frame, offer: altered(frame.offer, random) };
    case "state-part":
      return lieAboutPart(frame, random);
    case "log-part":
      return lieAboutLog(frame, random);
  }
}

function lieAboutPart(frame: Extract<Supplied, { kind: "state-part" }>, random: SeededRandom): Supplied | undefined {
  const { part, ...rest } = frame;
  if (part === undefined || random.chance(0.2)) return random.chance(0.5) ? rest : undefined;
  if (part.kind === "branch") return { ...rest, part: { ...part, hashes: part.hashes.map((hash) => altered(hash, random)) } };
  const at = random.below(part.items.length);
  const items = part.items.flatMap((item, index) => {
    if (index !== at) return [item];
    return random.chance(0.4) ? [] : [{ ...item, value: altered(item.value, random) }];
  });
  return { ...rest, part: { kind: "leaves", items: random.chance(0.2) ? [...part.items].reverse() : items } };
}

function lieAboutLog(frame: Extract<Supplied, { kind: "log-part" }>, random: SeededRandom): Supplied | undefined {
  const at = random.below(frame.entries.length);
  switch (random.below(6)) {
    case 0:
      return undefined;
    case 5:
      return { ...frame, objects: [...frame.objects.slice(1), Uint8Array.of(at)] };
    case 1:
      return { ...frame, entries: [] };
    case 2:
      return { ...frame, entries: frame.entries.slice(0, at) };
    case 3:
      return { ...frame, proof: frame.proof.slice(1) };
    default:
      return { ...frame, entries: frame.entries.map((entry, index) => (index === at ? altered(entry, random) : entry)) };
  }
}

function altered(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = bytes.slice();
  if (copy.length === 0) return Uint8Array.of(1);
  const at = random.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
}
