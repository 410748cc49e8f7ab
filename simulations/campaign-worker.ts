// A process of a campaign: runs the seeds that it is sent, until its parent hangs up.
import { loadSodium, nodeHasher } from "#crypto";
import type { Turn } from "./campaign.ts";
import type { RunResult } from "./run.ts";
import { runSeed, type ScheduleSettings } from "./schedule.ts";

const sodium = loadSodium();

process.on("message", ({ settings, turn }: { readonly settings: ScheduleSettings; readonly turn: Turn }) => {
  sodium.then(
    (ed25519) => {
      const results: RunResult[] = [];
      for (let seed = turn.from; seed <= turn.to; seed++) results.push(runSeed(settings, seed, { hasher: nodeHasher, ed25519 }));
      process.send?.(results);
    },
    () => {
      process.exitCode = 1;
      process.disconnect();
    },
  );
});
