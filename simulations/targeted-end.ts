import { equalBytes, isQuorum, type Member, type Membership, type NodeId, parseHeader, totalWeight, weightOf } from "#base";
import type { ConsensusMessage } from "#consensus";

type Append = Extract<ConsensusMessage, { type: "append" }>;

/** Weights after a change. */
type Weights = readonly { readonly id: NodeId; readonly weight: number }[];

/** An end of an epoch as a node knows it. */
interface End {
  readonly lastHeight: number;
  readonly next: Membership;
}

/** What parts the members, and for whom. */
export interface PartedEndOptions {
  readonly old: Membership;
  /** Who is to weigh more than all the others after the change. */
  readonly heavy: ReadonlySet<NodeId>;
  /** The end of the epoch, once somebody knows it. */
  end(): End | undefined;
  /** The command that changes the members, signed: with it they are parted before the other side hears that it is decided. */
  readonly change?: Uint8Array;
}

/**
 * A network that parts old members and new ones where it hurts: from the moment at which somebody knows that the epoch ends, those who have the
 * majority until then hear nothing of those who have it afterwards. Where the change is named it is a moment earlier, so that one side alone knows.
 */
export class PartedEnd {
  readonly #options: PartedEndOptions;
  readonly #holders = new Set<NodeId>();
  #end: End | undefined;
  #changeHeight = Number.MAX_SAFE_INTEGER;
  #isParted = false;

  constructor(options: PartedEndOptions) {
    this.#options = options;
  }

  /** The last height, while a majority of the old members holds it and none of the new; undefined else. */
  get heldByOldAlone(): number | undefined {
    const { old } = this.#options;
    const holds = (membership: Membership): boolean => isQuorum(weightOf(membership, [...this.#holders]), totalWeight(membership), "crash");
    return this.#end !== undefined && holds(old) && !holds(this.#end.next) ? this.#end.lastHeight : undefined;
  }

  /** Whether this message is lost on this link; undefined for a frame that is none. */
  drops(from: NodeId, to: NodeId, message: ConsensusMessage | undefined): boolean {
    this.#end ??= this.#options.end();
    if (message?.type === "append") this.#watch(message);
    if (this.#end === undefined) return this.#isParted && this.#isAcross(from, to);
    const { lastHeight } = this.#end;
    if (message?.type === "append-reply" && message.accepted && message.counts && message.height >= lastHeight) {
      this.#holders.add(from);
      this.#holders.add(to);
    }
    return this.#isAcross(from, to);
  }

  /** Parts them with the first message that tells that the change is decided. */
  #watch({ commit, entry }: Append): void {
    const { change } = this.#options;
    if (change === undefined || this.#isParted) return;
    if (entry?.batch.some((command) => equalBytes(command, change))) this.#changeHeight = parseHeader(entry.headerBytes).height;
    this.#isParted = commit >= this.#changeHeight;
  }

  #isAcross(from: NodeId, to: NodeId): boolean {
    return this.#options.heavy.has(from) !== this.#options.heavy.has(to);
  }
}

/**
 * New weights under which some members, a minority until now, outweigh all others together, and none of them the half; undefined where too few of
 * those that may be chosen are light enough.
 */
export function overturned(
  members: readonly Member[],
  chosen: readonly NodeId[],
): { heavy: ReadonlySet<NodeId>; weights: Weights } | undefined {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const heavy = new Set<NodeId>();
  let weight = 0;
  for (const id of chosen) {
    const own = members.find((member) => member.id === id)?.weight ?? total;
    if (2 * (weight + own) >= total) continue;
    weight += own;
    heavy.add(id);
  }
  if (heavy.size < 2) return undefined;
  const each = Math.floor((total - weight) / heavy.size) + 1;
  const weights = members.map((member) => ({ id: member.id, weight: heavy.has(member.id) ? each : member.weight }));
  const sum = total - weight + each * heavy.size;
  return weights.some((member) => 2 * member.weight >= sum) ? undefined : { heavy, weights };
}
