/**
 * Loaded into a node's process before the node (`node --import`): its wall clock then differs from the machine's by as much as the parent last
 * said. What measures time that passed, timers among them, goes on as before, as when somebody sets a machine's clock.
 */
const wallClock = Date.now;
let offsetMs = 0;

Date.now = (): number => wallClock() + offsetMs;

process.on("message", (message: { readonly clockOffsetMs?: number }) => {
  if (message.clockOffsetMs !== undefined) offsetMs = message.clockOffsetMs;
});
