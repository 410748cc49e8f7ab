import { findMember, type Membership, type NodeId, totalWeight, weightOf } from "#base";
import type { RaftRules } from "./rules.ts";

/** Who counts: the members, and beside them the next epoch's once the end of this one is decided (rule J1). */
export class Voters {
  readonly #membership: Membership;
  readonly #rules: RaftRules;
  #next: Membership | undefined;
  #agreeing: readonly Membership[];

  constructor(membership: Membership, rules: RaftRules) {
    this.#membership = membership;
    this.#rules = rules;
    this.#agreeing = [membership];
  }

  /** From now on both memberships have to agree. */
  join(next: Membership): void {
    this.#next = next;
    this.#agreeing = this.#rules.agreeing({ present: this.#membership, next });
  }

  has(node: NodeId): boolean {
    return this.isMember(node) || (this.#next !== undefined && findMember(this.#next, node) !== undefined);
  }

  /** A member of this epoch: the only ones that lead it. */
  isMember(node: NodeId): boolean {
    return findMember(this.#membership, node) !== undefined;
  }

  /** Everybody who counts, in ascending id. */
  all(): readonly NodeId[] {
    const ids = [...this.#membership.members, ...(this.#next?.members ?? [])].map(({ id }) => id);
    return [...new Set(ids)].sort();
  }

  /** True when the nodes have a majority of the weight, in both memberships where there are two. */
  isQuorum(nodes: readonly NodeId[]): boolean {
    return this.#agreeing.every((membership) => this.#rules.isQuorum(weightOf(membership, nodes), totalWeight(membership)));
  }
}
