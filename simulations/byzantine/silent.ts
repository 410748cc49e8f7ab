import type { NodeId } from "#base";
import type { FrameFilter } from "../network.ts";

/** A node that hears everything and says nothing. */
export function silent(node: NodeId): FrameFilter {
  return (from, _to, frame) => (from === node ? [] : [frame]);
}
