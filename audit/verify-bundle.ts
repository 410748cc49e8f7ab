import { decodeUtf8, equalBytes, hashLeaf, toHash } from "#base";
import type { Checkpoint } from "./checkpoint-text.ts";
import { Findings, type VerificationResult } from "./findings.ts";
import { policiesBy } from "./handover.ts";
import { checkOwnNote, knownCheckpoints } from "./known-checkpoints.ts";
import { type Policy, parsePolicy } from "./policy.ts";
import { shardAt } from "./shard.ts";
import { decodeEntryBundle, HASH_BYTES, rowLength, TILE_WIDTH, type TileCoordinates, tilePath } from "./tile.ts";
import { GrowingTree } from "./tree.ts";
import { type ChainFault, ChainWalk } from "./verify-chain.ts";
import { type Primitives, primitivesOf, type VerifyOptions } from "./verify-note.ts";
import { notePolicy } from "./verify-receipt.ts";

/** Files of an export by path; a Map is one. */
export interface BundleReader {
  get(path: string): Uint8Array | undefined;
}

/** What the verification of an export may be given besides. */
export interface BundleOptions extends VerifyOptions {
  /** Told after every 256 entries. */
  readonly onProgress?: (entries: number, size: number) => void;
}

/** Faults remembered before they are judged; the lowest ones come first. */
const FAULTS_KEPT = 32;
/** Epochs looked for in vain before an export is taken to hold no further ones. */
const EPOCH_GAP_MAX = 8;
/**
 * Tiles in a row, of a million entries, of which an export has nothing, after which it is taken to hold nothing further: a checkpoint that nobody
 * signed may claim any size, and the work has to follow from the files that are there.
 */
const ABSENT_TILES_MAX = 4_096;

/**
 * Checks an export of one shard offline: its checkpoint, every entry, the chain, the whole tree and the tiles. Names the first bad index.
 *
 * The policy inside the export proves nothing and is only compared with the auditor's.
 */
export function verifyBundle(files: BundleReader, policy: string, options: BundleOptions = {}): VerificationResult {
  const primitives = primitivesOf(options);
  const findings = new Findings();
  const parsedPolicy = findings.attempt(() => parsePolicy(policy, primitives.hasher));
  if (parsedPolicy === undefined) return findings.result();
  notePolicy(parsedPolicy, findings);
  const note = readText(files, "checkpoint", findings);
  if (note === undefined) return findings.result();
  const policyOfNote = policiesBy(parsedPolicy, options.epochs ?? epochsOf(files, parsedPolicy), { primitives, findings });
  const context = { policyOfNote, primitives, findings };
  const checked = checkOwnNote(note, context);
  if (checked === undefined) return findings.result();
  if (findings.clean) findings.checked("a quorum signed the checkpoint, by distinct log keys and by distinct witness keys");
  const { checkpoint, signers } = checked;
  const known = knownCheckpoints(options.knownCheckpoints ?? [], context);
  const audit = new BundleAudit(files, checkpoint, primitives, options.onProgress);
  audit.run(known.map(({ size }) => size));
  audit.report(findings);
  if (checked.isSigned) compareWithKnown(known, audit, findings);
  sayNotChecked(files, policy, known.length, findings);
  return findings.result({ checkpoint, signers });
}

/** Every file of a shard's export that its size asks for, the checkpoint aside. */
export function exportPaths(size: number): string[] {
  const paths: string[] = [];
  for (let level = 0; rowLength(size, level) > 0; level++) {
    const row = rowLength(size, level);
    for (let first = 0; first < row; first += TILE_WIDTH) {
      const at = { index: first / TILE_WIDTH, width: Math.min(TILE_WIDTH, row - first) };
      paths.push(tilePath({ level, ...at }));
      if (level === 0) paths.push(tilePath({ level: "entries", ...at }));
    }
  }
  return paths;
}

/** One pass over an export. Collects facts; `report` judges them together, since only the root says which side of a mismatch is wrong. */
class BundleAudit {
  readonly #files: BundleReader;
  readonly #checkpoint: Checkpoint;
  readonly #primitives: Primitives;
  readonly #onProgress: ((entries: number, size: number) => void) | undefined;
  readonly #tree: GrowingTree;
  readonly #chain: ChainWalk;
  readonly #faults: ChainFault[] = [];
  readonly #mismatches: number[] = [];
  readonly #alteredTiles: { path: string; index: number }[] = [];
  readonly #missingTiles: string[] = [];
  readonly #gaps: { from: number; to: number }[] = [];
  readonly #roots = new Map<number, string>();
  #complete = true;

  constructor(files: BundleReader, checkpoint: Checkpoint, primitives: Primitives, onProgress: BundleOptions["onProgress"]) {
    this.#files = files;
    this.#checkpoint = checkpoint;
    this.#primitives = primitives;
    this.#onProgress = onProgress;
    this.#tree = new GrowingTree(primitives.hasher);
    this.#chain = new ChainWalk(primitives.hasher, (fault) => {
      if (this.#faults.length < FAULTS_KEPT) this.#faults.push(fault);
    });
  }

  /** The shard's first entry commits to this. */
  get previousShard(): Checkpoint | undefined {
    return this.#chain.previousShard;
  }

  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  /**
   * The root at a size that `run` was asked to remember. Only entries that give the signed root say what the quorum signed: altered ones must
   * not make it look like a fork.
   */
  rootAt(size: number): string | undefined {
    return this.#rootHolds() ? this.#roots.get(size) : undefined;
  }

  run(rememberSizes: readonly number[]): void {
    const { size } = this.#checkpoint;
    const remembered = new Set(rememberSizes);
    let absent = 0;
    for (let first = 0; first < size && absent < ABSENT_TILES_MAX; first += TILE_WIDTH) {
      const next = Math.min(first + TILE_WIDTH, size);
      absent = this.#walkTile(first, next - first, remembered) ? 0 : absent + 1;
      if (absent === ABSENT_TILES_MAX) this.#addGap(next, size);
      this.#onProgress?.(next, size);
    }
    for (const { level, index, bytes } of this.#tree.partialTiles()) this.#compareTile(level, index, bytes);
  }

  report(findings: Findings): void {
    const rootHolds = this.#rootHolds();
    this.#reportGaps(findings);
    this.#reportAlterations(findings, rootHolds);
    for (const path of this.#missingTiles.slice(0, 1)) {
      findings.add("VERIFY_EVIDENCE", `${this.#missingTiles.length} files of the tree are missing, ${path} first`);
    }
    this.#reportLast(findings);
    if (!findings.clean) return;
    findings.checked(`all ${this.#checkpoint.size} entries are there, canonical, chained and in sealed blocks`);
    findings.checked("the entries give the signed root, and the tiles are those of the tree");
  }

  #rootHolds(): boolean {
    return this.#complete && toHash(this.#tree.root()) === this.#checkpoint.root;
  }

  /** False when the export has neither the tile nor its entries. */
  #walkTile(first: number, width: number, remembered: ReadonlySet<number>): boolean {
    const index = first / TILE_WIDTH;
    const row = this.#hashes({ level: 0, index, width });
    const bundle = this.#file({ level: "entries", index, width });
    const entries = bundle === undefined ? [] : entriesOf(bundle).slice(0, width);
    this.#addGap(first + entries.length, first + width);
    for (let at = 0; at < width; at++) {
      const hash = row?.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
      const leaf = this.#leafOf(first + at, entries[at], hash);
      if (leaf === undefined) this.#complete = false;
      if (!this.#complete || leaf === undefined) continue;
      this.#tree.append(leaf, (tile) => {
        if (tile.bytes.length === TILE_WIDTH * HASH_BYTES) this.#compareTile(tile.level, tile.index, tile.bytes);
      });
      if (remembered.has(this.#tree.size)) this.#roots.set(this.#tree.size, toHash(this.#tree.root()));
    }
    return row !== undefined || bundle !== undefined;
  }

  /** Entries that are missing, together with those right before them. */
  #addGap(from: number, to: number): void {
    if (from >= to) return;
    const last = this.#gaps.at(-1);
    if (last?.to === from) last.to = to;
    else this.#gaps.push({ from, to });
  }

  /** The leaf hash of the entry; of a missing entry, the hash that its tile still has. */
  #leafOf(index: number, entry: Uint8Array | undefined, hash: Uint8Array | undefined): Uint8Array | undefined {
    if (entry === undefined) {
      this.#chain.skip();
      return hash;
    }
    const leaf = hashLeaf(this.#primitives.hasher, entry);
    if (hash !== undefined && !equalBytes(leaf, hash) && this.#mismatches.length < FAULTS_KEPT) this.#mismatches.push(index);
    this.#chain.step(index, entry);
    return leaf;
  }

  #compareTile(level: number, index: number, bytes: Uint8Array): void {
    const width = bytes.length / HASH_BYTES;
    const file = this.#hashes({ level, index, width });
    const path = tilePath({ level, index, width });
    if (file === undefined) this.#missingTiles.push(path);
    else if (level > 0 && !equalBytes(file, bytes)) {
      const position = Array.from({ length: width }, (_, at) => at).find((at) => !sameHash(file, bytes, at)) ?? 0;
      this.#alteredTiles.push({ path, index: (index * TILE_WIDTH + position) * TILE_WIDTH ** level });
    }
  }

  /** A partial file, or the full one that the log has grown to since. */
  #file(at: TileCoordinates): TileFile | undefined {
    const partial = this.#files.get(tilePath(at));
    if (partial !== undefined) return { bytes: partial, width: at.width };
    const full = this.#files.get(tilePath({ ...at, width: TILE_WIDTH }));
    return full === undefined ? undefined : { bytes: full, width: TILE_WIDTH };
  }

  /** The hashes of a tile; none when its file is shorter or longer than its name says. */
  #hashes(at: TileCoordinates): Uint8Array | undefined {
    const file = this.#file(at);
    return file?.bytes.length === HASH_BYTES * (file?.width ?? 0) ? file.bytes.subarray(0, HASH_BYTES * at.width) : undefined;
  }

  #reportGaps(findings: Findings): void {
    const { size } = this.#checkpoint;
    const last = this.#gaps.at(-1);
    if (last === undefined) return;
    let tail = size;
    for (const gap of this.#gaps.toReversed()) if (gap.to === tail) tail = gap.from;
    if (tail < size) findings.add("VERIFY_TRUNCATED", `the entries end at ${tail}, the checkpoint says ${size}`, tail);
    for (const { from, to } of this.#gaps) {
      if (from < tail) findings.add("VERIFY_EVIDENCE", `the entries ${from} to ${to - 1} are missing`, from);
    }
  }

  /** Names the lowest index that the best kind of evidence names: a leaf's hash before a broken link before a range of the tree. */
  #reportAlterations(findings: Findings, rootHolds: boolean): void {
    if (!rootHolds && this.#complete) findings.add("VERIFY_ALTERED", "the entries do not give the root that the quorum signed");
    for (const index of this.#mismatches) {
      findings.add(
        "VERIFY_ALTERED",
        rootHolds ? "the tile's hash of this entry was altered" : "the entry is not the one in the tree",
        index,
      );
    }
    const wrong = this.#faults.filter(({ kind }) => kind === "entry");
    for (const { index, message } of wrong) findings.add("VERIFY_ALTERED", message, index);
    const exact = this.#mismatches.length > 0 || wrong.length > 0;
    for (const { index, message } of this.#faults.filter(({ kind }) => kind === "link")) {
      findings.add("VERIFY_ALTERED", `${message}, at index ${index}`, exact ? undefined : index - 1);
    }
    const located = exact || this.#faults.length > 0;
    for (const { path, index } of this.#alteredTiles)
      findings.add("VERIFY_ALTERED", `${path} differs from the tree`, located ? undefined : index);
  }

  #reportLast(findings: Findings): void {
    const last = this.#chain.last;
    if (last === undefined || this.#gaps.length > 0) return;
    const index = this.#checkpoint.size - 1;
    if (last.kind !== "block.sealed") findings.add("VERIFY_ALTERED", "the checkpoint does not stand at the end of a block", index);
    if (shardAt(last.block.timeUs) !== this.#checkpoint.origin.slice(-6)) {
      findings.add("VERIFY_ALTERED", "the last entry's time lies in another half year than the shard", index);
    }
  }
}

/** A file with the number of hashes or entries that its name says. */
interface TileFile {
  readonly bytes: Uint8Array;
  readonly width: number;
}

/** The entries of a file, fewer where its tail is missing; none when there are more than its name says. */
function entriesOf({ bytes, width }: TileFile): readonly Uint8Array[] {
  const entries = decodeEntryBundle(bytes) ?? [];
  return entries.length > width ? [] : entries;
}

function sameHash(left: Uint8Array, right: Uint8Array, at: number): boolean {
  const [from, to] = [at * HASH_BYTES, (at + 1) * HASH_BYTES];
  return equalBytes(left.subarray(from, to), right.subarray(from, to));
}

function readText(files: BundleReader, path: string, findings: Findings): string | undefined {
  const bytes = files.get(path);
  if (bytes === undefined) findings.add("VERIFY_EVIDENCE", `the file ${path} is missing`);
  return bytes === undefined ? undefined : findings.attempt(() => decodeUtf8(bytes));
}

/** The handovers inside the export. They prove themselves; one that is missing before a later one is found by looking a little further. */
function epochsOf(files: BundleReader, { epoch }: Policy): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let next = epoch + 1, missing = 0; missing < EPOCH_GAP_MAX; next++) {
    const file = files.get(`epochs/${next}`);
    if (file === undefined) missing += 1;
    else found.push(file);
  }
  return found;
}

function compareWithKnown(known: readonly Checkpoint[], audit: BundleAudit, findings: Findings): void {
  for (const kept of known) {
    const bundle = [audit.checkpoint, audit.previousShard].find((candidate) => candidate?.origin === kept.origin);
    const root = bundle === audit.checkpoint ? audit.rootAt(kept.size) : bundle?.size === kept.size ? bundle.root : undefined;
    if (bundle === undefined) {
      findings.notChecked(`the kept checkpoint of ${kept.origin}: this export is of another shard`);
    } else if (kept.size > bundle.size) {
      findings.add("VERIFY_TRUNCATED", `a kept checkpoint has ${kept.size} entries, the export ${bundle.size}: it was cut or rolled back`);
    } else if (root === undefined) {
      findings.add("VERIFY_EVIDENCE", `the root at the kept checkpoint's size ${kept.size} cannot be computed`);
    } else if (root !== kept.root) {
      findings.add("VERIFY_FORK", `a quorum signed two logs: their roots at size ${kept.size} differ`);
    } else {
      findings.checked(`the kept checkpoint of size ${kept.size} is a prefix of this log`);
    }
  }
}

function sayNotChecked(files: BundleReader, policy: string, knownCount: number, findings: Findings): void {
  const theirs = files.get("policy");
  if (theirs !== undefined && findings.attempt(() => decodeUtf8(theirs)) !== policy) {
    findings.notice("the policy inside the export differs from yours; yours was used");
  }
  if (knownCount === 0) findings.notChecked("that the log was not cut before this checkpoint: give a checkpoint that you kept");
  findings.notChecked("that the cluster showed everybody the same log: compare checkpoints with other parties");
  findings.notChecked("the entries of earlier shards, except for the checkpoint to which the first entry commits");
  findings.notChecked("that each entry follows from its command by the cluster's rules");
}
