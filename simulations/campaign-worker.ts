// A process of a campaign: runs the seeds that it is sent, until its parent hangs up.
import { loadSodium, nodeHasher } from "#crypto";
import { runTurn, type Turn } from "./campaign.ts";
import type { ScheduleSettings } from "./schedule.ts";

const sodium = loadSodium();

process.on("message", ({ settings, turn }: { readonly settings: ScheduleSettings; readonly turn: Turn }) => {
  sodium.then(
    (ed25519) => {
      process.send?.(runTurn(settings, turn, { hasher: nodeHasher, ed25519 }));
    },
    () => {
      process.exitCode = 1;
      process.disconnect();
    },
  );
});
