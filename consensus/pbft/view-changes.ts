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

  /**
   * The highest view which members of one honest weight, beside this node, ask for or have passed; undefined when it is not above the given one
   * (rule V2). The lowest one that any of them asks for would be a liar's choice.
   */
  viewToJoin(above: number, self: NodeId): number | undefined {
    const asked = [...this.#bySender].flatMap(([sender, [newest]]) => (sender === self || newest === undefined ? [] : newest));
    asked.sort((a, b) => b.view - a.view);
    let weight = 0;
    for (const { sender, view } of asked) {
      if (view <= above) return undefined;
      weight += weightOf(this.#membership, [sender]);
      if (holdsOneHonest(weight, totalWeight(this.#membership))) return view;
    }
    return undefined;
  }
}
