// A process of a twins campaign: plays its share, tells in turns what came of it, and hangs up.
import { playShare, type TwinsShare } from "./campaign.ts";

process.once("message", (share: TwinsShare) => {
  const turns = playShare(share);
  next();

  /** One turn after another has left, so that the parent hears of them as they come. */
  function next(): void {
    const turn = turns.next();
    if (turn.done === true) process.disconnect();
    else process.send?.(turn.value, undefined, undefined, () => setImmediate(next));
  }
});
