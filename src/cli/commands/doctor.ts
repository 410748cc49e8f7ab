import type { Command } from "commander";
import type { NodeStatus } from "#gateway";
import { addCommand, perform } from "../command.ts";
import { addConnectionOptions, type ConnectionOptions, withConnection } from "../connection.ts";
import { AUDITOR } from "../dev/demo.ts";
import { EXIT } from "../failure.ts";
import { type Output, printable } from "../output.ts";
import { type Survey, surveyCluster } from "../survey.ts";
import { NOBODY } from "./status.ts";

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

/** `doctor`: the nodes' own accounts, held against each other. */
export function addDoctorCommand(program: Command): void {
  const text = {
    summary: "compare the nodes with each other and say what is wrong and what to do; exit code 1 when something is",
    examples: ["doctor"],
  };
  addConnectionOptions(addCommand(program, "doctor", text)).action((options: ConnectionOptions) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: AUDITOR }, async (connection) => showFindings(await surveyCluster(connection), output)),
    ),
  );
}

function showFindings({ nodes, best }: Survey, output: Output): number {
  const statuses = nodes.flatMap(({ status }) => (status === undefined ? [] : [status]));
  const findings = [
    quorum(best),
    answers(nodes),
    ...(statuses.length === 0 ? [] : [takingPart, progress, agreement, time, evidence].map((look) => look(statuses))),
  ];
  const isWell = findings.every(({ ok }) => ok);
  output.result({ ok: isWell, findings: findings.map((finding) => ({ ...finding })) }, () =>
    findings.map((finding) => findingText(finding, output)).join("\n"),
  );
  return isWell ? EXIT.done : EXIT.refused;
}

function findingText({ check, ok, detail, advice }: Finding, { style }: Output): string {
  if (ok) return `${style.good("✔")} ${check}: ${printable(detail)}`;
  return `${style.bad("✖")} ${check}: ${printable(detail)}\n    ${style.faint("do:")} ${advice}`;
}

function quorum(best: NodeStatus | undefined): Finding {
  return {
    check: "quorum",
    ok: best?.health.canDecide === true,
    detail: best?.health.summary ?? NOBODY,
    advice: "bring back the nodes that are waited for, or the links to them",
  };
}

function answers(nodes: Survey["nodes"]): Finding {
  const silent = nodes.filter(({ status }) => status === undefined);
  return {
    check: "answers",
    ok: silent.length === 0,
    detail: silent.length === 0 ? "every node answers" : silent.map(({ id, silence }) => `${id} (${silence})`).join(", "),
    advice: "start these nodes, or mend the network to them (development cluster: `quorumgate dev start`, `resume` or `heal`)",
  };
}

function takingPart(statuses: readonly NodeStatus[]): Finding {
  const ill = statuses.filter(({ node, mode, learners }) => mode !== "participating" && !isLearning(node, mode, learners));
  return {
    check: "taking part",
    ok: ill.length === 0,
    detail: ill.length === 0 ? "every node that answers votes" : ill.map(({ node, mode }) => `${node} is ${mode}`).join(", "),
    advice: "see docs/OPERATIONS.md, A node that comes back; of a halted node `quorumgate status` says why",
  };
}

/** A learner follows, and is not asked for more. */
function isLearning(node: string, mode: string, learners: NodeStatus["learners"]): boolean {
  return mode === "following" && learners.some(({ id }) => id === node);
}

function progress(statuses: readonly NodeStatus[]): Finding {
  const highest = Math.max(...statuses.map(({ height }) => height));
  const behind = statuses.filter(({ height }) => highest - height > LAG_MAX).map(({ node, height }) => `${node} at ${height}`);
  return {
    check: "progress",
    ok: behind.length === 0,
    detail: behind.length === 0 ? `all at height ${highest} or close` : `height ${highest}; behind: ${behind.join(", ")}`,
    advice: "look again in a moment: a node catches up by itself; where it does not, read its log",
  };
}

/** Nodes at one height must have one state. */
function agreement(statuses: readonly NodeStatus[]): Finding {
  const byHeight = new Map<number, Set<string>>();
  for (const { height, stateHash } of statuses) byHeight.set(height, (byHeight.get(height) ?? new Set()).add(stateHash));
  const split = [...byHeight].filter(([, hashes]) => hashes.size > 1).map(([height]) => height);
  return {
    check: "agreement",
    ok: split.length === 0,
    detail: split.length === 0 ? "nodes at the same height have the same state" : `different states at height ${split.join(", ")}`,
    advice: "rely on no answer of this cluster until it is explained: stop these nodes and keep their folders",
  };
}

function time(statuses: readonly NodeStatus[]): Finding {
  const ageMs = Date.now() - Math.max(...statuses.map(({ agreedTimeMs }) => agreedTimeMs));
  return {
    check: "time",
    ok: Math.abs(ageMs) < STALE_MS,
    detail: `the newest block is ${Math.round(ageMs / 1_000)} s old by this machine's clock`,
    advice: "compare this machine's clock with the nodes'; where the clocks are right, the cluster stands still",
  };
}

function evidence(statuses: readonly NodeStatus[]): Finding {
  const convicted = [...new Set(statuses.flatMap((status) => status.evidence.map(({ node }) => node)))].sort();
  return {
    check: "evidence",
    ok: convicted.length === 0,
    detail: convicted.length === 0 ? "no node was caught contradicting itself" : `on record against ${convicted.join(", ")}`,
    advice: "see docs/OPERATIONS.md, A node that was caught; `quorumgate member list` shows the removal that is proposed",
  };
}
