import type { Command } from "commander";
import type { JsonValue } from "#base";
import type { NodeStatus } from "#gateway";
import { addCommand, perform } from "../command.ts";
import { addConnectionOptions, type ConnectionOptions, withConnection } from "../connection.ts";
import { AUDITOR } from "../dev/demo.ts";
import { EXIT } from "../failure.ts";
import { type Output, printable, table } from "../output.ts";
import { type Survey, surveyCluster } from "../survey.ts";

/** Of a cluster in which nobody says anything. */
export const NOBODY =
  "no node answers: start the nodes (a development cluster with `quorumgate dev`), or look whether the addresses are right";

/** `status`. */
export function addStatusCommand(program: Command): void {
  const status = {
    summary: "health in words, from every node; exit code 1 when nothing can be decided",
    examples: ["status", "status --json"],
  };
  addConnectionOptions(addCommand(program, "status", status)).action((options: ConnectionOptions) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: AUDITOR }, async (connection) => showStatus(await surveyCluster(connection), output)),
    ),
  );
}

function showStatus({ nodes, best }: Survey, output: Output): number {
  const canDecide = best?.health.canDecide === true;
  const summary = best?.health.summary ?? NOBODY;
  const shown = nodes.map(({ id, url, status, silence }) => ({
    id,
    url,
    ...(status === undefined ? { silence: silence ?? "" } : { status }),
  }));
  const value = { canDecide, summary, tolerates: best?.health.tolerates ?? 0, waitingFor: best?.waitingFor ?? [], nodes: shown };
  output.result(value as unknown as JsonValue, () => {
    const { style } = output;
    const rows = nodes.map(({ id, status, silence }) =>
      status === undefined
        ? [id, "silent", "", "", "", printable(silence ?? "")]
        : [
            id,
            status.mode,
            `${status.height}`,
            `${status.view}`,
            status.leader ?? "–",
            printable(status.health.summary + transferOf(status)),
          ],
    );
    return [
      canDecide ? style.good(printable(summary)) : style.bad(printable(summary)),
      ...(best === undefined
        ? []
        : [
            `cluster ${best.cluster}   ${best.environment} · ${best.engine} · log ${best.logSize} entries`,
            ...membersLines(best),
            ...evidenceLines(best),
          ]),
      table([["node", "mode", "height", "view", "leader", "says"], ...rows]),
    ].join("\n");
  });
  return canDecide ? EXIT.done : EXIT.refused;
}

/** How far a node is that fetches the state of the others. */
function transferOf({ transfer }: NodeStatus): string {
  if (transfer === undefined) return "";
  const { height, from, stateKeys, entries, entriesWanted } = transfer;
  return `; fetches the state after ${height} from ${from}: ${stateKeys} keys, ${entries} of ${entriesWanted} entries`;
}

/** Where in the history a node contradicted itself: checkpoints have no height of their own. */
function placeOfEvidence(kind: string, about: number): string {
  return kind === "conflicting-checkpoints" || kind === "false-endorsement" ? `log of ${about} entries` : `height ${about}`;
}

/** What the ledger holds against nodes, and what the cluster proposes about it. */
function evidenceLines({ evidence, proposedRemovals }: NodeStatus): readonly string[] {
  return [
    ...evidence.map(
      ({ kind, node, epoch, about, by, entry }) =>
        `evidence: ${kind} by ${node}, epoch ${epoch}, ${placeOfEvidence(kind, about)}, reported by ${by}${entry === undefined ? "" : `, entry ${entry}`}`,
    ),
    ...proposedRemovals.map(
      ({ node, code }) =>
        `proposed: remove ${node}${code === "OK" ? "" : `, which would be refused as it stands (${code})`}; operators decide: \`quorumgate member list\``,
    ),
  ].map(printable);
}

/** Who takes part now, who only listens, and who takes part next. */
function membersLines({ epoch, epochFirstHeight, members, learners, pending }: NodeStatus): readonly string[] {
  const named = (nodes: readonly { readonly id: string; readonly weight: number }[]): string =>
    nodes.map(({ id, weight }) => `${id} (${weight})`).join(", ");
  return [
    `epoch ${epoch} since height ${epochFirstHeight}: ${named(members)}`,
    ...(learners.length === 0 ? [] : [`learners: ${learners.map(({ id }) => id).join(", ")}`]),
    ...(pending === undefined ? [] : [`epoch ${pending.epoch} from height ${pending.activeFrom}: ${named(pending.members)}`]),
  ].map(printable);
}
