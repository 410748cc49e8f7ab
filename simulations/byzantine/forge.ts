import type { ConsensusMessage } from "#consensus";
import { encodeFrame } from "#replica";
import { type Actor, frameOf } from "./actor.ts";

/** Its word is signed by nobody: every vote and every cosignature goes out with a broken signature. */
export const forging: Actor = (ports) => ({
  outgoing: (_to, frame) => {
    const read = ports.frames.read(frame);
    if (read?.frame.kind === "cosignature") {
      ports.deviates();
      return [encodeFrame({ ...read.frame, logSignature: broken(read.frame.logSignature) })];
    }
    const message = read?.message;
    if (message === undefined || !("signature" in message) || message.type === "view-change" || message.type === "new-view") return [frame];
    if (message.type === "propose") return [frame];
    ports.deviates();
    return [frameOf({ ...message, signature: broken(message.signature) } as ConsensusMessage)];
  },
});

function broken(signature: Uint8Array): Uint8Array {
  return signature.map((byte, index) => (index === 0 ? byte ^ 1 : byte));
}
