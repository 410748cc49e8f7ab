import type { Hash, Hasher, Membership, NodeId, SeededRandom } from "#base";
import type { ConsensusMessage } from "#consensus";
import { encodeMessage } from "#consensus";
import { encodeFrame } from "#replica";
import type { FrameReader } from "../frame-reader.ts";
import type { KeyMill } from "../keys.ts";
import type { Mouth } from "../network.ts";

/** What a Byzantine node has at hand beside its honest core: its own keys, its links, time, chance. Never a key of anybody else. */
export interface ActorPorts {
  readonly node: NodeId;
  readonly peers: readonly NodeId[];
  readonly membership: Membership;
  readonly trustDomain: string;
  readonly cluster: Hash;
  readonly hasher: Hasher;
  readonly keys: Pick<KeyMill, "keyOf">;
  readonly random: SeededRandom;
  readonly frames: FrameReader;
  readonly flood: FloodStrength;
  nowUs(): number;
  later(delayMs: number, run: () => void): void;
  /** Sends a frame that its core never said. */
  send(to: NodeId, frame: Uint8Array): void;
  /** It did something that an honest node would not do: counted. */
  deviates(): void;
}

/** How much a flooding node sends. */
export interface FloodStrength {
  /** Frames of its own making beside what its core says, in all. */
  readonly framesMax: number;
  /** Frames to each peer and second, whether its core speaks or not. */
  readonly perSecond: number;
}

/** Puts a mouth on an honest core. */
export type Actor = (ports: ActorPorts) => Mouth;

/** A consensus message as a frame. */
export function frameOf(message: ConsensusMessage): Uint8Array {
  return encodeFrame({ kind: "consensus", message: encodeMessage(message) });
}
