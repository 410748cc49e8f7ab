import { type DiskRules, diskRules } from "../disk.ts";
import type { PlantedBug } from "./bug.ts";

function bug(about: Omit<PlantedBug, "room" | "overrides">, override: Partial<DiskRules>): PlantedBug {
  return { ...about, room: "storage", overrides: { disk: { ...diskRules, ...override } } };
}

/** Bugs in the store, as the simulated disk shows them. */
export const STORAGE_BUGS: readonly PlantedBug[] = [
  bug(
    {
      name: "torn-batch-accepted",
      known: "malachite #1434",
      about: "half of the batch that was being written at a crash stays",
      breaks: ["A4", "A7", "A9", "L1"],
      kinds: ["torn-write", "crash", "cluster-restart", "power-cut"],
    },
    { keepsBatchesWhole: false },
  ),
  bug(
    {
      name: "writes-reordered",
      known: "openraft io_ordering",
      about: "of the writes under way at a crash the newest stay, not the oldest",
      breaks: ["A4", "A5", "A7", "L1"],
      kinds: ["crash", "cluster-restart", "power-cut", "stalled-disk"],
    },
    { keepsOrder: false },
  ),
  bug(
    {
      name: "checksum-unchecked",
      about: "stored bytes are believed whatever their checksum says",
      breaks: ["S1", "A4", "A9", "L1"],
      kinds: ["bit-rot", "misdirected-write", "crash"],
    },
    { checksSums: false },
  ),
];
