import { existsSync, readFileSync } from "node:fs";
import { expect } from "chai";
import type { ProcessCluster } from "./process-cluster.ts";

/** What a node says once as an error for a cause that a campaign gives it. */
const CAUSED: readonly RegExp[] = [];

/**
 * Demands that no node has complained without a cause: no line at the level of errors, and none that is not the log's, such as a warning of Node's
 * or a trace of an exception. Harm from outside is worth a warning of the log at most: a peer that is away, a leader that is replaced.
 */
export function expectQuietLogs(cluster: ProcessCluster, nodes: readonly number[] = cluster.nodes): void {
  const complaints = nodes.flatMap((node) =>
    linesOf(cluster.logFile(node))
      .filter(isComplaint)
      .map((line) => `node-${node}: ${line}`),
  );
  expect(complaints.slice(0, 20), "complaints in the nodes' logs").to.deep.equal([]);
}

function isComplaint(line: string): boolean {
  return levelOf(line) !== "warn" && !CAUSED.some((cause) => cause.test(line));
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
