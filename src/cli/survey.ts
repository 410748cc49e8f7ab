import { LIMITS } from "#base";
import type { Ed25519 } from "#crypto";
import type { NodeStatus } from "#gateway";
import type { ServiceKey } from "#identity";
import { type Connection, connectAs } from "./connection.ts";
import { describeFailure } from "./failure.ts";

/** A node that does not say in this time how it is counts as silent: it may be stopped in place. By then the others have given up its links. */
const ANSWER_MS = (LIMITS.peerSilentHeartbeatsMax + 1) * LIMITS.peerHeartbeatMs;

/** What one node said of itself, or why it said nothing. */
export interface NodeAnswer {
  readonly id: string;
  readonly url: string;
  readonly status?: NodeStatus;
  readonly silence?: string;
  /** True where nobody refused the question either: the node may hold its links without saying anything. */
  readonly isOverdue?: boolean;
}

/** The cluster as its nodes see it. */
export interface Survey {
  readonly nodes: readonly NodeAnswer[];
  /** The view of the node that is best off: what one honest quorum can do, the cluster can. */
  readonly best: NodeStatus | undefined;
}

/** Asks every node by itself: those of the development cluster, or all that the given ones name as members or learners. */
export async function surveyCluster(connection: Connection): Promise<Survey> {
  const asked = await askAll(
    connection,
    connection.urls.map((url, at) => ({ id: connection.dev?.nodes[at]?.id ?? url, url })),
  );
  const known = new Set(connection.urls);
  const others = connection.dev === undefined ? membersBeyond(asked, known) : [];
  const nodes = await asOfNow(connection, [...asked, ...(await askAll(connection, others))]);
  return { nodes, best: bestOf(nodes.flatMap(({ status }) => (status === undefined ? [] : [status]))) };
}

/** Asks who answered again where another node did not: what they said while that one was waited for still counted on it. */
async function asOfNow(connection: Connection, answers: readonly NodeAnswer[]): Promise<readonly NodeAnswer[]> {
  if (!answers.some(({ isOverdue }) => isOverdue)) return answers;
  const again = await askAll(
    connection,
    answers.filter(({ status }) => status !== undefined),
  );
  return answers.map((answer) => again.find(({ url }) => url === answer.url) ?? answer);
}

function askAll(
  { ed25519, self, cluster }: Connection,
  nodes: readonly { readonly id: string; readonly url: string }[],
): Promise<readonly NodeAnswer[]> {
  return Promise.all(nodes.map(({ id, url }) => ask(ed25519, { self, cluster, id, url })));
}

async function ask(
  ed25519: Ed25519,
  question: { readonly self: ServiceKey; readonly cluster: Connection["cluster"]; readonly id: string; readonly url: string },
): Promise<NodeAnswer> {
  const { self, cluster, id, url } = question;
  const gateway = await connectAs(ed25519, { target: { urls: [url], cluster }, identities: [self] });
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<undefined>((settle) => {
    timer = setTimeout(() => settle(undefined), ANSWER_MS);
  });
  try {
    const status = await Promise.race([gateway.status(), patience]);
    return status === undefined
      ? { id, url, silence: `no answer within ${ANSWER_MS / 1_000} s`, isOverdue: true }
      : { id: status.node, url, status };
  } catch (error) {
    return { id, url, silence: describeSilence(error) };
  } finally {
    clearTimeout(timer);
    await gateway.stop();
  }
}

function describeSilence(error: unknown): string {
  const { code, message } = describeFailure(error);
  return code === "QUORUM_UNAVAILABLE" ? "not reachable" : `${code}: ${message}`;
}

function membersBeyond(answers: readonly NodeAnswer[], known: ReadonlySet<string>): { readonly id: string; readonly url: string }[] {
  const status = answers.find((answer) => answer.status !== undefined)?.status;
  const members = status === undefined ? [] : [...status.members, ...status.learners];
  const answered = new Set(answers.map(({ id }) => id));
  return members.filter(({ id, httpUrl }) => !answered.has(id) && !known.has(httpUrl)).map(({ id, httpUrl }) => ({ id, url: httpUrl }));
}

function bestOf(statuses: readonly NodeStatus[]): NodeStatus | undefined {
  const rank = ({ health, height }: NodeStatus): readonly number[] => [Number(health.canDecide), health.tolerates, height];
  return [...statuses].sort((left, right) => compare(rank(right), rank(left)))[0];
}

function compare(left: readonly number[], right: readonly number[]): number {
  const at = left.findIndex((value, index) => value !== right[index]);
  return at < 0 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}
