// A process of a campaign: runs the turns that it is sent, until its parent hangs up.
import { loadSodium, nodeHasher } from "#crypto";
import { runTurn, type Turn } from "./workers.ts";

const sodium = loadSodium();

process.on("message", (turn: Turn) => {
  sodium.then(
    (ed25519) => {
      process.send?.(runTurn(turn, { hasher: nodeHasher, ed25519 }));
    },
    () => {
      process.exitCode = 1;
      process.disconnect();
    },
  );
});
