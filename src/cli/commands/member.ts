import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import {
  type CanonicalObject,
  encodeCanonical,
  FieldReader,
  type Hash,
  inFile,
  isObject,
  type JsonValue,
  LIMITS,
  parseCanonicalObject,
  parseHash,
  parseNodeId,
  QuorumgateError,
  signedBytes,
  toBase64Url,
  toHex,
} from "#base";
import { type Ed25519, loadSodium, nodeHasher } from "#crypto";
import type { ApprovedChange } from "#gateway";
import { loadServiceKey, readNodeFile, serviceSignerOf } from "#identity";
import {
  approvalBytes,
  type ChangeDraft,
  changeToCanonical,
  type GovernanceKind,
  isGovernanceKind,
  readChange,
  type WeightChange,
} from "#state";
import { readPairs } from "../capability-options.ts";
import { addCommand, addGroup, gather, perform } from "../command.ts";
import { addConnectionOptions, type ConnectionOptions, withConnection } from "../connection.ts";
import { OPERATOR } from "../dev/demo.ts";
import { EXIT, parseWhole, UsageError } from "../failure.ts";
import { printable } from "../output.ts";
import { showWrite } from "../write-answer.ts";

interface ProposeOptions extends ConnectionOptions {
  readonly learner?: string;
  readonly dropLearner?: string;
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly reweight?: readonly string[];
  readonly renew?: readonly string[];
  readonly accused?: string;
  readonly days: string;
  readonly out: string;
}

/** A change that nobody has approved yet. */
type ProposedChange = Pick<ApprovedChange, "kind" | "change">;

/** A change as its file holds it. */
interface ChangeFile extends ApprovedChange {
  readonly cluster: Hash;
}

const DAY_US = 86_400_000_000;

/** `member list`, `propose`, `approve` and `submit`: the file goes from operator to operator, no key ever does. */
export function addMemberCommands(program: Command): void {
  const member = addGroup(program, "member", "who takes part: learners, members and their weights");
  addList(member);
  addPropose(member);
  addApprove(member);
  addSubmit(member);
}

function addList(member: Command): void {
  const command = addCommand(member, "list", { summary: "members, learners and a change that waits", examples: ["member list"] });
  addConnectionOptions(command).action((options: ConnectionOptions) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: OPERATOR }, async ({ gateway }) => {
        const members = await gateway.members();
        output.result(members, () => membersText(members));
        return EXIT.done;
      }),
    ),
  );
}

function addPropose(member: Command): void {
  const command = addCommand(member, "propose", {
    summary: "write a change of members to a file, for operators to approve; a node is a learner first",
    examples: [
      "member propose --learner bank-e/node.json --out add-learner.json",
      "member propose --add bank-e=1 --remove bank-a --out change.json",
      "member propose --renew bank-a/renewal/node.json --out renewal.json",
      "member propose --accused bank-a --out removal.json",
    ],
  })
    .option("--learner <file>", "admit the node of this node.json as a learner")
    .option("--drop-learner <id>", "let a learner go")
    .option("--add <id=weight>", "make a learner a member; may be given several times", gather)
    .option("--remove <id>", "a member that leaves for ever; may be given several times", gather)
    .option("--reweight <id=weight>", "another weight for a member; may be given several times", gather)
    .option("--renew <file>", "new keys or addresses of a member, by the node.json of `node renew`; may be given several times", gather)
    .option("--accused <id>", "take over the removal that the cluster proposes because of evidence (member list)")
    .option("--days <number>", "how long approvals hold", "7")
    .requiredOption("--out <file>", "where to write the change");
  addConnectionOptions(command).action((options: ProposeOptions) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: OPERATOR }, async ({ gateway, cluster, ed25519 }) => {
        if (existsSync(options.out)) throw new UsageError(`${options.out} is there already`);
        const view = await gateway.members();
        const { kind, change } = options.accused === undefined ? draftOf(ed25519, options, { view, cluster }) : proposalOf(options, view);
        readChange(kind, change, cluster);
        writeChange(options.out, { kind, cluster, change, approvals: [] });
        output.result(
          { file: options.out, kind, change: change as JsonValue },
          () => `${changeText(kind, change)}\nwritten to ${options.out}`,
        );
        return EXIT.done;
      }),
    ),
  );
}

function addApprove(member: Command): void {
  addCommand(member, "approve <file>", {
    summary: "add your approval to a change, offline; look at what it says first",
    examples: ["member approve change.json --identity keys/operator-2 --cluster ID"],
  })
    .requiredOption("--identity <dir>", "the operator's key")
    .requiredOption("--cluster <id>", "the cluster that you mean to change")
    .action((file: string, options: { readonly json?: boolean; readonly identity: string; readonly cluster: string }) =>
      perform(options, async (output) => {
        const ed25519 = await loadSodium();
        const self = loadServiceKey(ed25519, options.identity);
        const held = inFile(file, "FORMAT_SHAPE_INVALID", () => readChangeFile(ed25519, file));
        if (held.cluster !== parseHash(options.cluster)) throw new UsageError("the change is for another cluster than --cluster");
        const message = signedBytes("approval", approvalBytes(nodeHasher, held));
        const signature = toBase64Url(await serviceSignerOf(ed25519, self).sign(message));
        const approvals = [...held.approvals.filter(({ operator }) => operator !== self.id), { operator: self.id, signature }];
        writeChange(file, { ...held, approvals });
        output.result({ file, approvedBy: approvals.map(({ operator }) => operator) }, () =>
          [changeText(held.kind, held.change), `approved by ${approvals.map(({ operator }) => operator).join(", ")}`].join("\n"),
        );
        return EXIT.done;
      }),
    );
}

function addSubmit(member: Command): void {
  const command = addCommand(member, "submit <file>", {
    summary: "send an approved change, as an operator; sending it approves it",
    examples: ["member submit change.json"],
  });
  addConnectionOptions(command).action((file: string, options: ConnectionOptions) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: OPERATOR }, async ({ gateway, self, ed25519 }) => {
        const held = inFile(file, "FORMAT_SHAPE_INVALID", () => readChangeFile(ed25519, file));
        const approvals = held.approvals.filter(({ operator }) => operator !== self.id);
        return showWrite(await gateway.changeMembers({ ...held, approvals }, self.id), changeText(held.kind, held.change), output);
      }),
    ),
  );
}

/** What the ledger itself proposes: the same bytes for every operator. */
function proposalOf({ accused, learner, dropLearner, add, remove, reweight }: ProposeOptions, view: JsonValue): ProposedChange {
  if ([learner, dropLearner, add, remove, reweight].some((option) => option !== undefined))
    throw new UsageError("--accused takes the cluster's proposal as it is; to change more at once, use --add, --remove and --reweight");
  const { proposals } = view as unknown as { readonly proposals: readonly (ProposedChange & { readonly node: string })[] };
  const proposal = proposals.find(({ node }) => node === accused);
  if (proposal === undefined) throw new UsageError(`the cluster proposes nothing about ${accused}: see member list`);
  return proposal;
}

function draftOf(ed25519: Ed25519, options: ProposeOptions, at: { readonly view: JsonValue; readonly cluster: Hash }): ProposedChange {
  const draft = changeOf(ed25519, options, (at.view as { readonly epoch: number }).epoch);
  return { kind: draft.kind, change: changeToCanonical(at.cluster, draft) };
}

function changeOf(ed25519: Ed25519, options: ProposeOptions, epoch: number): ChangeDraft {
  const days = parseWhole(options.days, { name: "--days", min: 1, max: 365 });
  const frame = { epoch, expiresAtUs: Date.now() * 1_000 + days * DAY_US };
  const { learner, dropLearner } = options;
  const changesMembers = [options.add, options.remove, options.reweight, options.renew].some((pairs) => pairs !== undefined);
  if ([learner !== undefined, dropLearner !== undefined, changesMembers].filter(Boolean).length !== 1) {
    throw new UsageError("a change is one of --learner, --drop-learner, or --add, --remove, --reweight and --renew together");
  }
  const nodeFileIn = (path: string): CanonicalObject => {
    const bytes = readFile(path);
    inFile(path, "IDENTITY_NODE_FILE_INVALID", () => readNodeFile(ed25519, bytes));
    return parseCanonicalObject(bytes);
  };
  if (learner !== undefined) return { kind: "learner.add", ...frame, nodeFile: nodeFileIn(learner) };
  if (dropLearner !== undefined) return { kind: "learner.remove", ...frame, id: parseNodeId(dropLearner) };
  return {
    kind: "membership.change",
    ...frame,
    add: weights(options.add, "--add"),
    remove: (options.remove ?? []).map(parseNodeId),
    reweight: weights(options.reweight, "--reweight"),
    ...(options.renew === undefined ? {} : { renew: options.renew.map(nodeFileIn) }),
  };
}

function weights(pairs: readonly string[] | undefined, name: string): readonly WeightChange[] {
  return Object.entries(readPairs(pairs, name)).map(([id, weight]) => ({
    id: parseNodeId(id),
    weight: parseWhole(weight, { name, min: 1, max: LIMITS.totalWeightMax }),
  }));
}

/** Reads a change file. A new node's file is checked whole, its TLS key and certificate too: the ledger cannot check these. */
function readChangeFile(ed25519: Ed25519, file: string): ChangeFile {
  const reader = new FieldReader(parseCanonicalObject(readFile(file)), "change file");
  reader.integer("v", { min: 1, max: 1 });
  const kind = reader.text("kind");
  const cluster = parseHash(reader.text("cluster"));
  const change = reader.value("change");
  const approvals = reader.list("approvals", LIMITS.approvalsMax).map((value) => {
    const approval = new FieldReader(value, "approval");
    return { operator: approval.text("operator"), signature: approval.text("signature", 86) };
  });
  reader.end();
  if (!isGovernanceKind(kind) || !isObject(change))
    throw new QuorumgateError("FORMAT_SHAPE_INVALID", "the file holds no change of members");
  readChange(kind, change, cluster);
  for (const stated of statedNodes(change)) readNodeFile(ed25519, encodeCanonical(stated));
  return { kind, cluster, change, approvals };
}

/** The node files inside a change: a new node's, or those of members that renew their keys. */
function statedNodes({ node, renew }: CanonicalObject): readonly CanonicalObject[] {
  return [node, ...(Array.isArray(renew) ? renew : [])].filter(isObject);
}

function writeChange(file: string, { kind, cluster, change, approvals }: ChangeFile): void {
  writeFileSync(file, encodeCanonical({ v: 1, kind, cluster, change, approvals: approvals.map((approval) => ({ ...approval })) }));
}

function readFile(path: string): Uint8Array {
  if (!existsSync(path)) throw new UsageError(`there is no file ${path}`);
  const bytes = new Uint8Array(readFileSync(path));
  if (bytes.length > LIMITS.httpBodyBytesMax) throw new QuorumgateError("FORMAT_TOO_LARGE", "the file is too large", { data: { path } });
  return bytes;
}

/** The hash is the one that `node init` or `node renew` printed: compare it with what the institution says through another channel. */
function nodeText(node: CanonicalObject): string {
  const { id, peerAddress, httpUrl } = isObject(node["member"]) ? node["member"] : {};
  const sha256 = toHex(nodeHasher.sha256(encodeCanonical(node)));
  return ` ${JSON.stringify({ id, peerAddress, httpUrl })} node.json sha256 ${sha256}`;
}

function changeText(kind: GovernanceKind, change: CanonicalObject): string {
  const { node: _node, renew, expiresAt, cluster, v: _version, ...rest } = change;
  const nodes = statedNodes(change).map((node) => `${renew === undefined ? "" : " renew"}${nodeText(node)}`);
  return printable(
    `${kind}${nodes.join("")} ${JSON.stringify(rest)}   cluster ${typeof cluster === "string" ? cluster.slice(0, 8) : "?"}   until ${new Date(Number(expiresAt) / 1_000).toISOString()}`,
  );
}

function membersText(view: JsonValue): string {
  const { epoch, firstHeight, members, learners, retired, pending, proposals } = view as unknown as {
    readonly epoch: number;
    readonly firstHeight: number;
    readonly members: readonly { readonly id: string; readonly weight: number; readonly httpUrl: string }[];
    readonly learners: readonly { readonly id: string; readonly httpUrl: string }[];
    readonly retired: readonly { readonly id: string }[];
    readonly proposals: readonly { readonly node: string; readonly evidence: string; readonly code: string }[];
    readonly pending?: {
      readonly lastHeight: number;
      readonly next: { readonly members: readonly { readonly id: string; readonly weight: number }[] };
    };
  };
  const waiting =
    pending === undefined
      ? []
      : [`after height ${pending.lastHeight}: ${pending.next.members.map(({ id, weight }) => `${id} (${weight})`).join(", ")}`];
  return [
    `epoch ${epoch}, from height ${firstHeight}`,
    ...members.map(({ id, weight, httpUrl }) => `  ${id}   weight ${weight}   ${httpUrl}`),
    ...learners.map(({ id, httpUrl }) => `  ${id}   learner   ${httpUrl}`),
    ...(retired.length === 0 ? [] : [`left: ${retired.map(({ id }) => id).join(", ")}`]),
    ...waiting,
    ...proposals.map(
      ({ node, evidence, code }) =>
        `proposed because of evidence ${evidence}: remove ${node}${code === "OK" ? "" : ` (would be refused as it stands: ${code})`}; \`quorumgate member propose --accused ${node}\` takes it over`,
    ),
  ]
    .map(printable)
    .join("\n");
}
