import type { Command } from "commander";
import type { JsonValue } from "#base";
import type { NodeStatus } from "#gateway";
import { addCommand, perform } from "../command.ts";
import { addConnectionOptions, type ConnectionOptions, withConnection } from "../connection.ts";
import { AUDITOR } from "../dev/demo.ts";
import { EXIT } from "../failure.ts";
import { type Output, printable, table } from "../output.ts";
import { type Survey, surveyCluster } from "../survey.ts";

const NOBODY = "no node answers: start the nodes (a development cluster with `quorumgate dev`), or look whether the addresses are right";

/** `status` and `doctor`. */
export function addStatusCommands(program: Command): void {
  const status = {
    summary: "health in words, from every node; exit code 1 when nothing can be decided",
    examples: ["status", "status --json"],
  };
  addConnectionOptions(addCommand(program, "status", status)).action((options: ConnectionOptions) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: AUDITOR }, async (connection) => showStatus(await surveyCluster(connection), output)),
    ),
  );
  const doctor = {
    summary: "compare the nodes with each other and say what is wrong; exit code 1 when something is",
    examples: ["doctor"],
  };
  addConnectionOptions(addCommand(program, "doctor", doctor)).action((options: ConnectionOptions) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: AUDITOR }, async (connection) => showFindings(await surveyCluster(connection), output)),
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

/** One thing that was looked at. */
interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do about it when it is not well. */
  readonly advice: string;
}

/** Heights by which a healthy node may be behind: the answers are not of one moment. */
const LAG_MAX = 3;
/** An idle cluster makes a block each five seconds. */
const STALE_MS = 15_000;

function showFindings(survey: Survey, output: Output): number {
  const findings = findingsOf(survey);
  const isWell = findings.every(({ ok }) => ok);
  output.result({ ok: isWell, findings: findings.map((finding) => ({ ...finding })) }, () =>
    findings
      .map(({ check, ok, detail, advice }) =>
        ok
          ? `${output.style.good("✔")} ${check}: ${printable(detail)}`
          : `${output.style.bad("✖")} ${check}: ${printable(detail)}\n    ${output.style.faint("do:")} ${advice}`,
      )
      .join("\n"),
  );
  return isWell ? EXIT.done : EXIT.refused;
}

function findingsOf({ nodes, best }: Survey): readonly Finding[] {
  const statuses = nodes.flatMap(({ status }) => (status === undefined ? [] : [status]));
  const silent = nodes.filter(({ status }) => status === undefined);
  const highest = Math.max(0, ...statuses.map(({ height }) => height));
  const behind = statuses.filter(({ height }) => highest - height > LAG_MAX);
  const ill = statuses.filter(({ node, mode, learners }) => mode !== "participating" && !isLearning(node, mode, learners));
  const convicted = [...new Set(statuses.flatMap(({ evidence }) => evidence.map(({ node }) => node)))].sort();
  const ageMs = Date.now() - Math.max(0, ...statuses.map(({ agreedTimeMs }) => agreedTimeMs));
  return [
    {
      check: "quorum",
      ok: best?.health.canDecide === true,
      detail: best?.health.summary ?? NOBODY,
      advice: "bring back the nodes that are waited for, or the links to them",
    },
    {
      check: "answers",
      ok: silent.length === 0,
      detail: silent.length === 0 ? "every node answers" : silent.map(({ id, silence }) => `${id} (${silence})`).join(", "),
      advice: "start these nodes, or mend the network to them (development cluster: `quorumgate dev start`, `resume` or `heal`)",
    },
    {
      check: "taking part",
      ok: ill.length === 0,
      detail: ill.length === 0 ? "every node that answers votes" : ill.map(({ node, mode }) => `${node} is ${mode}`).join(", "),
      advice: "see docs/OPERATIONS.md, A node that comes back; of a halted node `quorumgate status` says why",
    },
    {
      check: "progress",
      ok: behind.length === 0,
      detail:
        behind.length === 0
          ? `all at height ${highest} or close`
          : `behind: ${behind.map(({ node, height }) => `${node} at ${height}`).join(", ")}`,
      advice: "look again in a moment: a node catches up by itself; where it does not, read its log",
    },
    agreement(statuses),
    {
      check: "time",
      ok: statuses.length > 0 && Math.abs(ageMs) < STALE_MS,
      detail: `the newest block is ${Math.round(ageMs / 1_000)} s old by this machine's clock`,
      advice: "compare this machine's clock with the nodes'; where the clocks are right, the cluster stands still",
    },
    {
      check: "evidence",
      ok: convicted.length === 0,
      detail: convicted.length === 0 ? "no node was caught contradicting itself" : `on record against ${convicted.join(", ")}`,
      advice: "see docs/OPERATIONS.md, A node that was caught; `quorumgate member list` shows the removal that is proposed",
    },
  ];
}

/** A learner follows, and is not asked for more. */
function isLearning(node: string, mode: string, learners: NodeStatus["learners"]): boolean {
  return mode === "following" && learners.some(({ id }) => id === node);
}

/** Nodes at one height must have one state. */
function agreement(statuses: readonly { readonly node: string; readonly height: number; readonly stateHash: string }[]): Finding {
  const byHeight = new Map<number, Set<string>>();
  for (const { height, stateHash } of statuses) byHeight.set(height, (byHeight.get(height) ?? new Set()).add(stateHash));
  const split = [...byHeight].filter(([, hashes]) => hashes.size > 1).map(([height]) => height);
  const detail = split.length === 0 ? "nodes at the same height have the same state" : `different states at height ${split.join(", ")}`;
  const advice = "rely on no answer of this cluster until it is explained: stop these nodes and keep their folders";
  return { check: "agreement", ok: split.length === 0, detail, advice };
}
