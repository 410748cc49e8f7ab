import type { Hash, NodeId } from "#base";
import type { ConsensusMessage } from "#consensus";
import type { SigningPorts } from "../byzantine/votes.ts";
import type { Scheduler } from "../scheduler.ts";
import { ALTERATIONS } from "./alter.ts";

/** What happens to one message, by its number in the order of sending. */
export interface Mutation {
  readonly at: number;
  readonly what: string;
}

/** What the network may do to a message. */
const BY_NETWORK: readonly string[] = ["drop", "duplicate", "delay", "swap", "replay"];

/** Everything that may happen to a message: what the network does, and what a Byzantine sender does. */
export const MUTATIONS: readonly string[] = [...BY_NETWORK, ...Object.keys(ALTERATIONS)];

/** A message on its way. */
export interface Mail {
  readonly from: NodeId;
  readonly to: string;
  readonly message: ConsensusMessage;
  deliver(message: ConsensusMessage): void;
}

/** What a run's messages were: who sent each, and what may happen to it. */
export interface MailRecord {
  readonly from: NodeId;
  readonly network: readonly string[];
  readonly lies: readonly string[];
}

/** What a postman works with. */
export interface PostmanOptions {
  readonly scheduler: Scheduler;
  readonly mutations: readonly Mutation[];
  /** Who signs alterations; none where members may only stop. */
  readonly signing: Omit<SigningPorts, "node"> | undefined;
  /** A round's length, in virtual milliseconds. */
  readonly roundMs: number;
  /** Whether what may happen to each message is written down. */
  readonly records: boolean;
}

/** Virtual milliseconds on every link: the order of arrival is that of sending. */
const DELAY_MS = 1;

/** Carries messages, and does to some of them what a list of mutations says. */
export class Postman {
  /** Nodes that said something they should not have. */
  readonly liars: Set<NodeId> = new Set();
  readonly records: MailRecord[] = [];
  readonly #options: PostmanOptions;
  readonly #planned: ReadonlyMap<number, string>;
  /** What waits for the next message to the same copy. */
  readonly #swapped = new Map<string, () => void>();
  /** The value that each node named before the present one. */
  readonly #values = new Map<NodeId, readonly Hash[]>();
  #number = 0;

  constructor(options: PostmanOptions) {
    this.#options = options;
    this.#planned = new Map(options.mutations.map(({ at, what }) => [at, what]));
  }

  /** Takes a message. */
  post(mail: Mail): void {
    const { records } = this.#options;
    const what = this.#planned.get(this.#number++);
    this.#remember(mail);
    if (records) this.records.push({ from: mail.from, network: BY_NETWORK, lies: this.#liesAbout(mail) });
    if (what === undefined) this.#carry(mail);
    else this.#mutate(mail, what);
  }

  #mutate(mail: Mail, what: string): void {
    const { roundMs } = this.#options;
    switch (what) {
      case "drop":
        return;
      case "duplicate":
        this.#carry(mail);
        return this.#carry(mail);
      case "delay":
        return this.#carry(mail, roundMs);
      case "replay":
        this.#carry(mail);
        return this.#carry(mail, roundMs);
      case "swap":
        return void this.#swapped.set(mail.to, () => this.#later(mail, DELAY_MS));
      default: {
        const altered = this.#altered(mail, what);
        if (altered !== undefined) this.liars.add(mail.from);
        return this.#carry({ ...mail, message: altered ?? mail.message });
      }
    }
  }

  #carry(mail: Mail, extraMs = 0): void {
    this.#later(mail, DELAY_MS + extraMs);
    const swapped = this.#swapped.get(mail.to);
    this.#swapped.delete(mail.to);
    swapped?.();
  }

  #later({ message, deliver }: Mail, ms: number): void {
    this.#options.scheduler.after(ms * 1_000, () => deliver(message));
  }

  #altered({ from, message }: Mail, what: string): ConsensusMessage | undefined {
    const { signing } = this.#options;
    if (signing === undefined) return undefined;
    const older = this.#values.get(from)?.at(-2);
    return ALTERATIONS[what]?.(message, { ...signing, node: from }, older);
  }

  #liesAbout(mail: Mail): readonly string[] {
    return Object.keys(ALTERATIONS).filter((what) => this.#altered(mail, what) !== undefined);
  }

  #remember({ from, message }: Mail): void {
    if (!("digest" in message)) return;
    const known = this.#values.get(from) ?? [];
    if (known.at(-1) !== message.digest) this.#values.set(from, [...known, message.digest].slice(-2));
  }
}
