import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { type AuditEntry, exportPaths, parseCheckpointText, parseEntry, parseNote, parsePolicy, receiptText } from "#audit";
import { encodeUtf8, fromBase64, parseJson, QuorumgateError } from "#base";
import type { SecurityGateway } from "#gateway";
import { addCommand, addGroup, perform } from "../command.ts";
import { addConnectionOptions, type ConnectionOptions, withConnection } from "../connection.ts";
import { AUDITOR } from "../dev/demo.ts";
import { EXIT, parseWhole, UsageError } from "../failure.ts";
import { type Output, short, table } from "../output.ts";

const TAIL_MAX = 500;

/** `audit tail|prove|export`. */
export function addAuditCommands(program: Command): void {
  const audit = addGroup(program, "audit", "read, prove and export the log");
  addTail(audit);
  addProve(audit);
  addExport(audit);
}

interface TailOptions extends ConnectionOptions {
  readonly count: string;
  readonly all?: boolean;
}

function addTail(audit: Command): void {
  const text = { summary: "the newest entries", examples: ["audit tail", "audit tail --count 50 --all --json"] };
  const command = addCommand(audit, "tail", text)
    .option("--count <number>", `how many, at most ${TAIL_MAX}`, "20")
    .option("--all", "the entries that seal blocks, too");
  addConnectionOptions(command).action((options: TailOptions) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: AUDITOR }, async ({ gateway }) => {
        const count = parseWhole(options.count, { name: "--count", min: 1, max: TAIL_MAX });
        const entries = await newest(gateway, { count, all: options.all === true });
        output.result(
          entries.map((bytes) => parseJson(bytes)),
          () => formatEntries(entries.map(parseEntry)),
        );
        return EXIT.done;
      }),
    ),
  );
}

/** The newest certified entries, oldest first. */
async function newest(gateway: SecurityGateway, wanted: { readonly count: number; readonly all: boolean }): Promise<readonly Uint8Array[]> {
  const { logSize } = await gateway.status();
  let found: readonly Uint8Array[] = [];
  for (let to = logSize; to > 0 && found.length < wanted.count; to -= TAIL_MAX) {
    const page = await gateway.backend.entries({ from: Math.max(0, to - TAIL_MAX), to });
    found = [...page.filter((bytes) => wanted.all || parseEntry(bytes).kind !== "block.sealed"), ...found];
  }
  return found.slice(-wanted.count);
}

function formatEntries(entries: readonly AuditEntry[]): string {
  const rows = entries.map(({ seq, kind, subject, decision, reason, block, command }) => [
    `#${seq}`,
    new Date(Math.floor(block.timeUs / 1_000)).toISOString(),
    kind,
    String(subject ?? ""),
    String(decision ?? ""),
    String(reason),
    command === undefined ? "" : short(command),
  ]);
  return table([["entry", "time", "kind", "subject", "decision", "reason", "command"], ...rows]).replace(/[^\x20-\x7e\n…]/g, "?");
}

interface ProveOptions extends ConnectionOptions {
  readonly out?: string;
  readonly epochs?: string;
}

function addProve(audit: Command): void {
  const text = {
    summary: "the receipt of a decision, or of an entry by its number, for `quorumgate verify`",
    examples: ["audit prove 17 --out entry.tlog-proof", "audit prove DECISION --out trade.tlog-proof --epochs epochs/"],
  };
  const command = addCommand(audit, "prove <entry>", text)
    .option("--out <file>", "write the receipt there instead of to stdout")
    .option("--epochs <dir>", "write the handovers there that `verify --epochs` follows from an older policy");
  addConnectionOptions(command).action((what: string, options: ProveOptions) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: AUDITOR }, async ({ gateway }) => {
        const receipt = await prove(gateway, what);
        const { out, epochs } = options;
        if (out !== undefined) writeFileSync(out, receipt);
        if (epochs !== undefined) mkdirSync(epochs, { recursive: true });
        const followed = epochs === undefined ? [] : await handovers(gateway, await gateway.policy());
        for (const { epoch, file } of followed) writeFileSync(join(epochs ?? "", String(epoch)), file);
        output.result(out === undefined ? { receipt } : { receipt, file: out }, () =>
          out === undefined ? receipt : `receipt written to ${out}`,
        );
        return EXIT.done;
      }),
    ),
  );
}

/** The handover of every epoch up to the policy's: who pinned an earlier one follows them. */
async function handovers(
  gateway: SecurityGateway,
  policy: string,
): Promise<readonly { readonly epoch: number; readonly file: Uint8Array }[]> {
  const files: { epoch: number; file: Uint8Array }[] = [];
  for (let epoch = 1; epoch <= parsePolicy(policy).epoch; epoch++) {
    const file = await gateway.backend.logFile(`epochs/${epoch}`);
    if (file === undefined) throw new QuorumgateError("VERIFY_EVIDENCE", `the node lacks the handover to epoch ${epoch}: ask another one`);
    files.push({ epoch, file });
  }
  return files;
}

async function prove(gateway: SecurityGateway, what: string): Promise<string> {
  if (/^[0-9a-f]{64}$/.test(what)) {
    const receipt = await gateway.receipt(what);
    if (receipt === undefined) throw new QuorumgateError("AUDIT_NOT_CERTIFIED", "no checkpoint covers such a decision");
    return receipt;
  }
  const seq = parseWhole(what, { name: "ENTRY (or a decision's id)", min: 0, max: Number.MAX_SAFE_INTEGER });
  const [entry] = await gateway.backend.entries({ from: seq, to: seq + 1 });
  const proof = await gateway.backend.proof(seq);
  if (entry === undefined || proof === undefined) throw new QuorumgateError("AUDIT_NOT_CERTIFIED", "no checkpoint covers the entry yet");
  return receiptText({ entry, index: proof.index, proof: proof.path.map(fromBase64), checkpoint: proof.checkpoint });
}

function addExport(audit: Command): void {
  const text = {
    summary: "copy the open part of the log, with its checkpoint and policy, to a folder that `verify` checks",
    examples: ["audit export export/"],
  };
  const command = addCommand(audit, "export <dir>", text);
  addConnectionOptions(command).action((folder: string, options: ConnectionOptions) =>
    perform(options, (output) =>
      withConnection(options, { output, usual: AUDITOR }, async ({ gateway }) => {
        const written = await exportLog(gateway, { folder, output });
        output.result(
          { folder, ...written },
          () => `${written.entries} entries of ${written.shard} in ${folder}: quorumgate verify ${folder} --policy POLICY`,
        );
        return EXIT.done;
      }),
    ),
  );
}

async function exportLog(
  gateway: SecurityGateway,
  to: { readonly folder: string; readonly output: Output },
): Promise<{ readonly entries: number; readonly shard: string; readonly files: number }> {
  const { folder, output } = to;
  if (existsSync(folder) && readdirSync(folder).length > 0) throw new UsageError(`the folder ${folder} is not empty`);
  const [policy, checkpoint] = [await gateway.policy(), await gateway.backend.checkpoint()];
  if (checkpoint === undefined) throw new QuorumgateError("AUDIT_NOT_CERTIFIED", "the log has no certified checkpoint yet");
  const { origin, size } = parseCheckpointText(parseNote(checkpoint).text);
  const shard = origin.slice(origin.lastIndexOf("/") + 1);
  const manifest: string[] = [];
  const write = (path: string, bytes: Uint8Array): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
    manifest.push(`${createHash("sha256").update(bytes).digest("hex")}  ${path}\n`);
  };
  const paths = exportPaths(size);
  let shown = performance.now();
  for (const [at, path] of paths.entries()) {
    const file = await gateway.backend.logFile(`${shard}/${path}`);
    if (file === undefined) throw new QuorumgateError("VERIFY_EVIDENCE", `the node lacks ${path} of the log`);
    write(path, file);
    if (performance.now() - shown < 1_000) continue;
    shown = performance.now();
    output.note(`${at + 1} of ${paths.length} files`);
  }
  for (const { epoch, file } of await handovers(gateway, policy)) write(`epochs/${epoch}`, file);
  write("policy", encodeUtf8(policy));
  write("checkpoint", encodeUtf8(checkpoint));
  writeFileSync(join(folder, "MANIFEST"), manifest.sort().join(""));
  return { entries: size, shard, files: manifest.length + 1 };
}
