import type { NodeId } from "#base";
import { decodeMessage, encodeMessage } from "#consensus";
import { decodeFrame, encodeFrame } from "#replica";
import type { FrameFilter } from "../network.ts";

/** A node whose votes are for everything and signed by nobody: every vote goes out with a broken signature. */
export function forge(node: NodeId): FrameFilter {
  return (from, _to, frame) => {
    if (from !== node) return [frame];
    const decoded = decodeFrame(frame);
    if (decoded.kind !== "consensus") return [frame];
    const message = decodeMessage(decoded.message);
    if (message.type !== "prepare" && message.type !== "commit") return [frame];
    const signature = message.signature.map((byte, index) => (index === 0 ? byte ^ 1 : byte));
    return [encodeFrame({ kind: "consensus", message: encodeMessage({ ...message, signature }) })];
  };
}
