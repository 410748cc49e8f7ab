import { findMember, holdsOneHonest, type Membership, type NodeId, totalWeight, weightOf } from "#base";
import type { ViewChange } from "./messages.ts";

/** Verified view changes of one height, the newest two views of each member. */
export class ViewChanges {
  readonly #membership: Membership;
  readonly #bySender = new Map<NodeId, ViewChange[]>();

  constructor(membership: Membership) {
    this.#membership = membership;
  }

  /**
   * Whether a view change is worth verifying: a member's, and not seen. However far ahead it is: two of each sender are kept, and whoever was away
   * while views went by has to follow those who went there.
   */
  isNews(message: ViewChange): boolean {
    if (findMember(this.#membership, message.sender) === undefined) return false;
    return this.#bySender.get(message.sender)?.every((known) => known.view !== message.view) ?? true;
  }

  add(message: ViewChange): void {
    const kept = [...(this.#bySender.get(message.sender) ?? []), message].sort((a, b) => b.view - a.view);
    this.#bySender.set(message.sender, kept.slice(0, 2));
  }

  /** View changes for exactly this view, in ascending sender. */
  for(view: number): ViewChange[] {
    const all = [...this.#bySender.values()].flat().filter((message) => message.view === view);
    return all.sort((a, b) => (a.sender < b.sender ? -1 : 1));
  }

  /** Members that ask for the view or a higher one. */
  supporters(view: number): NodeId[] {
    return [...this.#bySender].filter(([, messages]) => messages.some((message) => message.view >= view)).map(([sender]) => sender);
  }

  /** The lowest view above the given one that members of one honest weight, this node apart, ask for: rule V2. */
  viewToJoin(above: number, self: NodeId): number | undefined {
    const asked = new Map<NodeId, number>();
    for (const [sender, messages] of this.#bySender) {
      const higher = messages.filter((message) => message.view > above).map((message) => message.view);
      if (sender !== self && higher.length > 0) asked.set(sender, Math.min(...higher));
    }
    const enough = holdsOneHonest(weightOf(this.#membership, [...asked.keys()]), totalWeight(this.#membership));
    return enough ? Math.min(...asked.values()) : undefined;
  }
}
