import { existsSync, readdirSync, readFileSync } from "node:fs";

/** What a process holds of the machine. */
export interface ProcessCost {
  readonly residentMiB: number;
  readonly descriptors: number;
}

/** What a process holds now; undefined where it is gone, or where the system does not tell (Linux does). */
export function costOf(pid: number | undefined): ProcessCost | undefined {
  const folder = `/proc/${pid}`;
  if (pid === undefined || !existsSync(`${folder}/status`)) return undefined;
  const [, kiB = "0"] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`${folder}/status`, "utf8")) ?? [];
  return { residentMiB: Math.round(Number(kiB) / 1_024), descriptors: readdirSync(`${folder}/fd`).length };
}
