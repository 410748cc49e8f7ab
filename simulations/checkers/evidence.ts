import { type Accusation, accusationName, type NodeId } from "#base";
import type { Replica } from "#replica";

/** A8, the half of it that needs time: what an honest node holds on its disk comes on record, whatever befell the node in between. */
export class EvidenceChecker {
  readonly #held = new Map<string, { readonly accusation: Accusation; readonly holders: Set<NodeId> }>();

  /** An honest node wrote evidence to its disk. */
  onFound(node: NodeId, accusation: Accusation): void {
    const name = accusationName(accusation);
    const held = this.#held.get(name) ?? { accusation, holders: new Set<NodeId>() };
    held.holders.add(node);
    this.#held.set(name, held);
  }

  /** A node lost what was on its disk, all or some of it, or had it replaced by an older copy. */
  onForgot(node: NodeId): void {
    for (const { holders } of this.#held.values()) holders.delete(node);
  }

  /** What a replica of a drained cluster knows nothing of, though somebody had it who is a member still: nobody else may report it. */
  missing(replica: Replica, left: ReadonlySet<NodeId>): string[] {
    return [...this.#held].flatMap(([name, { accusation, holders }]) => {
      const members = [...holders].filter((id) => !left.has(id)).sort();
      return members.length === 0 || replica.state.isEvidenceSettled(accusation) ? [] : [`${name}, held by ${members.join(", ")}`];
    });
  }
}
