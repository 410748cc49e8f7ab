import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";

/** What a process holds of the machine. */
export interface ProcessCost {
  readonly residentMiB: number;
  readonly descriptors: number;
  /** Descriptors that are connections, or listen for them. */
  readonly sockets: number;
}

/** What a process holds now; undefined where it is gone, or where the system does not tell (Linux does). */
export function costOf(pid: number | undefined): ProcessCost | undefined {
  const folder = `/proc/${pid}`;
  if (pid === undefined || !existsSync(`${folder}/status`)) return undefined;
  const [, kiB = "0"] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`${folder}/status`, "utf8")) ?? [];
  const targets = readdirSync(`${folder}/fd`).map((name) => targetOf(`${folder}/fd/${name}`));
  const sockets = targets.filter((target) => target.startsWith("socket:")).length;
  return { residentMiB: Math.round(Number(kiB) / 1_024), descriptors: targets.length, sockets };
}

/** Size of all files below a folder that a process writes to, in MiB. */
export function folderMiB(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = files.map(({ parentPath, name }) => statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0);
  return bytes.reduce((sum, size) => sum + size, 0) / 1_048_576;
}

/** Nothing where the descriptor was closed meanwhile. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}
