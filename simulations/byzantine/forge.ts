import type { ConsensusMessage } from "#consensus";
import { type Actor, frameOf } from "./actor.ts";

/** Its votes are for everything and signed by nobody: every vote goes out with a broken signature. */
export const forging: Actor = (ports) => ({
  outgoing: (_to, frame) => {
    const message = ports.frames.messageOf(frame);
    if (message === undefined || !("signature" in message) || message.type === "view-change" || message.type === "new-view") return [frame];
    if (message.type === "propose") return [frame];
    ports.deviates();
    const signature = message.signature.map((byte, index) => (index === 0 ? byte ^ 1 : byte));
    return [frameOf({ ...message, signature } as ConsensusMessage)];
  },
});
