import { existsSync, readFileSync } from "node:fs";
import { expect } from "chai";
import type { ProcessCluster } from "./process-cluster.ts";

/** What a node says whose disk is full. */
const FULL_DISK = /"event":"storage.write-failed"|"reason":"the disk refused a write/;

/**
 * Demands that no node has complained without a cause: no line at the level of errors, and none that is not the log's, such as a warning of Node's
 * or a trace of an exception. Harm from outside is worth a warning of the log at most: a peer that is away, a leader that is replaced.
 * @param fullDisks nodes whose disks were full, and who had to say so
 */
export function expectQuietLogs(cluster: ProcessCluster, fullDisks: readonly number[] = []): void {
  const complaints = cluster.nodes.flatMap((node) => {
    const said = linesOf(cluster.logFile(node)).filter((line) => levelOf(line) !== "warn");
    if (!fullDisks.includes(node)) return said.map((line) => `node-${node}: ${line}`);
    expect(
      said.some((line) => FULL_DISK.test(line)),
      `what node-${node} says of its full disk`,
    ).to.equal(true);
    return said.filter((line) => !FULL_DISK.test(line)).map((line) => `node-${node}: ${line}`);
  });
  expect(complaints.slice(0, 20), "complaints in the nodes' logs").to.deep.equal([]);
}

/** The level of a line of the log; undefined of a line that is none. */
function levelOf(line: string): unknown {
  try {
    return (JSON.parse(line) as { readonly level?: unknown }).level;
  } catch {
    return undefined;
  }
}

function linesOf(file: string): readonly string[] {
  return existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];
}
