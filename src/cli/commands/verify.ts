import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, normalize } from "node:path";
import type { Command } from "commander";
import {
  type BundleReader,
  formatVerification,
  VERIFY_EXITS,
  type VerificationResult,
  type VerifyOptions,
  verifyBundle,
  verifyCheckpoint,
  verifyReceipt,
} from "#audit";
import { decodeUtf8, type JsonValue, QuorumgateError } from "#base";
import { addCommand, gather, perform } from "../command.ts";
import { DEV_FOLDER, devPaths, readDevFolder } from "../dev/folder.ts";
import { reportFailure, UsageError } from "../failure.ts";
import type { Output } from "../output.ts";

interface VerifyCommandOptions {
  readonly json?: boolean;
  readonly policy?: string;
  readonly known?: readonly string[];
  readonly epochs?: string;
  readonly data: string;
}

const RECEIPT_HEADER = "c2sp.org/tlog-proof@v1\n";
/** Largest file that is read at once: an export's tiles and bundles of entries are smaller. */
const FILE_BYTES_MAX = 33_554_432;

/** `verify`: offline, with its own exit codes. */
export function addVerifyCommand(program: Command): void {
  const text = {
    summary: "check a receipt, a checkpoint or an exported log offline, by the policy that you hold",
    examples: [
      "verify trade.tlog-proof --policy cluster.policy",
      "verify export/ --policy cluster.policy --known old-checkpoint",
      "verify last",
    ],
  };
  addCommand(program, "verify <file|dir>", text)
    .option("--policy <file>", "the cluster's policy file, from another source than the evidence")
    .option(
      "--known <checkpoint>",
      "a checkpoint that you kept, or that another auditor was shown: shows a log that was cut, rewritten or told in two ways; may be given several times",
      gather,
    )
    .option("--epochs <dir>", "handovers, when the policy is of an earlier epoch; an export has its own")
    .option("--data <dir>", "the development cluster of `verify last`", DEV_FOLDER)
    .addHelpText("after", EXIT_CODES)
    .action((path: string, options: VerifyCommandOptions) => perform(options, async (output) => judge(path, { options, output })));
}

const EXIT_CODES = `
Exit codes:
  0 valid                          1 internal error        2 usage
  10 altered                       11 truncated or rolled back
  12 quorum short                  13 unknown or revoked signer
  14 not enough evidence           15 fork
  17 malformed`;

/** What is too large to be read is refused as evidence, not as a failure of the verifier. */
function judge(path: string, context: { readonly options: VerifyCommandOptions; readonly output: Output }): number {
  try {
    return verify(path, context);
  } catch (error) {
    if (!(error instanceof QuorumgateError) || error.code !== "FORMAT_TOO_LARGE") throw error;
    reportFailure(error, context.output);
    return VERIFY_EXITS.VERIFY_MALFORMED;
  }
}

function verify(path: string, { options, output }: { readonly options: VerifyCommandOptions; readonly output: Output }): number {
  const evidence = path === "last" ? lastReceipt(options, output) : { path, policy: policyPath(options) };
  const policy = strictText(readBytes(evidence.policy));
  if (!existsSync(evidence.path)) throw new UsageError(`there is no file or folder ${evidence.path}`);
  const result = statSync(evidence.path).isDirectory()
    ? verifyFolder(evidence.path, policy, { options, output })
    : verifyFile(readBytes(evidence.path), policy, { epochs: epochsIn(options), knownCheckpoints: knownIn(options) });
  output.result(asJson(result), () => formatVerification(result));
  return result.exitCode;
}

function verifyFile(bytes: Uint8Array, policy: string, options: VerifyOptions): VerificationResult {
  const text = strictText(bytes);
  // A damaged receipt is still judged as a receipt, whichever of its marks is left.
  const isReceipt = text === "" || text.startsWith(RECEIPT_HEADER) || text.includes("\nextra ");
  return isReceipt ? verifyReceipt(text, policy, options) : verifyCheckpoint(text, policy, options);
}

function knownIn({ known = [] }: VerifyCommandOptions): readonly string[] {
  return known.map((path) => strictText(readBytes(path)));
}

/** Files named by an epoch's number. */
function epochsIn({ epochs }: VerifyCommandOptions): readonly Uint8Array[] {
  if (epochs === undefined) return [];
  if (!existsSync(epochs) || !statSync(epochs).isDirectory()) throw new UsageError(`there is no folder ${epochs}`);
  const names = readdirSync(epochs).filter((name) => /^[1-9][0-9]{0,15}$/.test(name));
  return names.map((name) => readBytes(join(epochs, name)));
}

/** Bytes that are not strict UTF-8 cannot be what was written: they are handed on as a text that no format accepts. */
function strictText(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    return "";
  }
}

function verifyFolder(
  folder: string,
  policy: string,
  { options, output }: { readonly options: VerifyCommandOptions; readonly output: Output },
): VerificationResult {
  const files: BundleReader = {
    get: (path) => {
      const file = join(folder, normalize(`/${path}`));
      return existsSync(file) && statSync(file).isFile() ? readBytes(file) : undefined;
    },
  };
  let shown = performance.now();
  return verifyBundle(files, policy, {
    ...(options.epochs === undefined ? {} : { epochs: epochsIn(options) }),
    knownCheckpoints: knownIn(options),
    onProgress: (entries, size) => {
      if (performance.now() - shown < 1_000) return;
      shown = performance.now();
      output.note(`checked ${entries} of ${size} entries`);
    },
  });
}

/** The newest receipt that `dev` or `authorize` had of the development cluster. Evidence and policy come from one place, which an auditor would not accept. */
function lastReceipt(options: VerifyCommandOptions, output: Output): { readonly path: string; readonly policy: string } {
  const dev = readDevFolder(options.data);
  if (dev === undefined)
    throw new UsageError(
      `there is no development cluster in ${options.data}: start one with \`quorumgate dev\`, or name its folder with --data`,
    );
  const { receipt, policy } = devPaths(dev.folder);
  if (options.policy === undefined)
    output.note(`policy: ${policy}, kept beside the receipt; an auditor uses one that came through another channel`);
  return { path: receipt, policy: options.policy ?? policy };
}

function policyPath({ policy }: VerifyCommandOptions): string {
  if (policy === undefined) throw new UsageError("--policy FILE is needed: evidence cannot say itself whom to trust");
  return policy;
}

function readBytes(path: string): Uint8Array {
  if (!existsSync(path) || !statSync(path).isFile()) throw new UsageError(`there is no file ${path}`);
  if (statSync(path).size > FILE_BYTES_MAX)
    throw new QuorumgateError("FORMAT_TOO_LARGE", "the file is too large to be evidence", { data: { path } });
  return new Uint8Array(readFileSync(path));
}

function asJson(result: VerificationResult): JsonValue {
  const { entry, ...rest } = result;
  const place = entry === undefined ? {} : { entry: { seq: entry.seq, kind: entry.kind, reason: entry.reason } };
  return { ...rest, ...place } as unknown as JsonValue;
}
