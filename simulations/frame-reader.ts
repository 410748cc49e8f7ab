import { type EngineName, type Hash, unreachable } from "#base";
import { type ConsensusMessage, decodeMessage } from "#consensus";
import { decodeFrame, type Frame } from "#replica";

/** A frame as those who look on see it. */
export interface ReadFrame {
  readonly frame: Frame;
  /** The consensus message inside, if it is one. */
  readonly message?: ConsensusMessage;
  /** The message's type, or the frame's kind. */
  readonly name: string;
}

/** Reads frames for onlookers: checkers, actors, faults. A broadcast is one frame to all peers, and is read once. */
export class FrameReader {
  readonly #read = new WeakMap<Uint8Array, ReadFrame | "unreadable">();
  readonly #names = new Set<string>();

  /** What a frame says; undefined when it does not read, which some actors see to. */
  read(bytes: Uint8Array): ReadFrame | undefined {
    let known = this.#read.get(bytes);
    if (known === undefined) {
      known = readFrame(bytes);
      this.#read.set(bytes, known);
      if (known !== "unreadable") this.#names.add(known.name);
    }
    return known === "unreadable" ? undefined : known;
  }

  /** Names of all messages met so far, of whichever engine, in alphabetical order. */
  get names(): readonly string[] {
    return [...this.#names].sort();
  }

  /** True for bytes that were read before. */
  knows(bytes: Uint8Array): boolean {
    return this.#read.has(bytes);
  }

  messageOf(bytes: Uint8Array): ConsensusMessage | undefined {
    return this.read(bytes)?.message;
  }

  nameOf(bytes: Uint8Array): string {
    return this.read(bytes)?.name ?? "unreadable";
  }
}

function readFrame(bytes: Uint8Array): ReadFrame | "unreadable" {
  try {
    const frame = decodeFrame(bytes);
    if (frame.kind !== "consensus") return { frame, name: frame.kind };
    const message = decodeMessage(frame.message);
    return { frame, message, name: message.type };
  } catch {
    // Corrupted and forged frames are part of what is tried.
    return "unreadable";
  }
}

/** A frame in a few words, for a transcript. */
export function describeFrame(read: ReadFrame | undefined, engine: EngineName): string {
  if (read === undefined) return "unreadable bytes";
  const { message, name } = read;
  if (message === undefined) return name;
  const word = viewWord(engine);
  if (message.type === "block") return `block ${message.certificate.height} ${word} ${message.certificate.view}`;
  const height = "height" in message ? ` ${message.height}` : "";
  const view = "view" in message ? ` ${word} ${message.view}` : "";
  const term = "term" in message ? ` term ${message.term}` : "";
  const digest = "digest" in message ? describeDigest(message.digest, message.type) : "";
  return `${message.type}${height}${view}${term}${digest}`;
}

/** What an engine's papers call the number that goes up when another node leads. */
export function viewWord(engine: EngineName): "view" | "round" | "term" {
  switch (engine) {
    case "pbft":
      return "view";
    case "tendermint":
      return "round";
    case "raft":
      return "term";
    default:
      return unreachable(engine);
  }
}

/** Zeros name no block: as a vote that is nil, and of whoever asks for a proposal whatever it holds nothing. */
function describeDigest(digest: Hash, type: ConsensusMessage["type"]): string {
  if (!/^0+$/.test(digest)) return ` ${digest.slice(0, 8)}`;
  return type === "prevote" || type === "precommit" ? " nil" : "";
}
