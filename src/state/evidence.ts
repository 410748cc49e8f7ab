import {
  ACCUSATION_KINDS,
  type Accusation,
  type AccusationKind,
  accusationName,
  accusationSeries,
  accusationToCanonical,
  type CanonicalObject,
  FieldReader,
  type Hash,
  LIMITS,
  type NodeId,
  parseHash,
  parseNodeId,
  readAccusation,
  type StateChange,
} from "#base";
import { Bucket, type Codec } from "./bucket.ts";
import { readOneOf, shapeError } from "./vocabulary.ts";

/** The body of `evidence.record`. */
export interface EvidenceBody {
  readonly kind: "evidence.record";
  readonly accusation: Accusation;
}

/** Evidence that the ledger holds. The statements stand in the entry of the command. */
export interface EvidenceRecord {
  readonly name: string;
  readonly kind: AccusationKind;
  readonly epoch: number;
  readonly node: NodeId;
  /** The height that the statements are about; of checkpoints the size of the log. */
  readonly about: number;
  /** Hash of the command that recorded it. */
  readonly command: Hash;
  /** The member that reported it. */
  readonly by: NodeId;
  /** Height and agreed time of the entry, microseconds since 1970. */
  readonly height: number;
  readonly timeUs: number;
}

/** The cluster's own proposal to remove a node. It does nothing before operators approve the change. */
export interface RemovalProposal {
  readonly node: NodeId;
  /** Name of the newest evidence. */
  readonly evidence: string;
  /** Height of that evidence's entry. */
  readonly height: number;
  /** Approvals of the proposed change end then, microseconds since 1970. */
  readonly expiresAtUs: number;
}

const EVIDENCE_CODEC: Codec<EvidenceRecord> = {
  bucket: "evidence",
  write: ({ name: _key, timeUs, ...rest }) => ({ ...rest, time: String(timeUs) }),
  read(key, value) {
    const reader = new FieldReader(value, "evidence");
    const record: EvidenceRecord = {
      name: key,
      kind: readOneOf(reader, "kind", ACCUSATION_KINDS),
      epoch: readNumber(reader, "epoch"),
      node: parseNodeId(reader.text("node", 63)),
      about: readNumber(reader, "about"),
      command: parseHash(reader.text("command")),
      by: parseNodeId(reader.text("by", 63)),
      height: readNumber(reader, "height"),
      timeUs: reader.decimal("time"),
    };
    reader.end();
    if (!key.startsWith(`${accusationSeries(record)}/`)) throw shapeError("evidence stands under its name");
    return record;
  },
};

const PROPOSAL_CODEC: Codec<RemovalProposal> = {
  bucket: "proposal",
  write: ({ node: _key, expiresAtUs, ...rest }) => ({ ...rest, expiresAt: String(expiresAtUs) }),
  read(key, value) {
    const reader = new FieldReader(value, "proposal");
    const proposal: RemovalProposal = {
      node: parseNodeId(key),
      evidence: reader.text("evidence"),
      height: readNumber(reader, "height"),
      expiresAtUs: reader.decimal("expiresAt"),
    };
    reader.end();
    return proposal;
  },
};

/** What nodes were convicted of, and what the cluster proposes about it. */
export class EvidenceBook {
  readonly #evidence: Bucket<EvidenceRecord>;
  readonly #proposals = new Bucket(PROPOSAL_CODEC);
  /** Pieces by series. */
  readonly #counts = new Map<string, number>();

  constructor() {
    this.#evidence = new Bucket(EVIDENCE_CODEC, ({ before, after }) => {
      if (after === undefined || before !== undefined) return;
      const series = accusationSeries(after);
      this.#counts.set(series, (this.#counts.get(series) ?? 0) + 1);
    });
  }

  /** True when this piece would add nothing: it is recorded, or enough of its kind is (rule E6). */
  isSettled(accusation: Accusation): boolean {
    if (this.#evidence.get(accusationName(accusation)) !== undefined) return true;
    return (this.#counts.get(accusationSeries(accusation)) ?? 0) >= LIMITS.evidencePerSeriesMax;
  }

  add(record: EvidenceRecord): void {
    this.#evidence.put(record.name, record);
  }

  propose(proposal: RemovalProposal): void {
    this.#proposals.put(proposal.node, proposal);
  }

  /** In the order in which it was recorded. */
  records(): readonly EvidenceRecord[] {
    const records = [...this.#evidence.keys()].sort().flatMap((name) => this.#evidence.get(name) ?? []);
    return records.sort((left, right) => left.height - right.height);
  }

  /** In ascending id of the node. */
  proposals(): readonly RemovalProposal[] {
    return [...this.#proposals.keys()].sort().flatMap((node) => this.#proposals.get(node) ?? []);
  }

  commit(): void {
    this.#evidence.commit();
    this.#proposals.commit();
  }

  drop(): void {
    this.#evidence.drop();
    this.#proposals.drop();
  }

  takeChanges(): StateChange[] {
    return [...this.#evidence.takeChanges(), ...this.#proposals.takeChanges()];
  }

  *entries(): IterableIterator<readonly [string, Uint8Array]> {
    yield* this.#evidence.entries();
    yield* this.#proposals.entries();
  }

  /** Takes a stored row; false when the bucket is another's. @throws {QuorumgateError} format errors */
  load(bucket: string, { key, value }: { readonly key: string; readonly value: Uint8Array }): boolean {
    if (bucket !== this.#evidence.name && bucket !== this.#proposals.name) return false;
    (bucket === this.#evidence.name ? this.#evidence : this.#proposals).load(key, value);
    return true;
  }
}

/** The body of `evidence.record`. */
export function evidenceRecordBody(accusation: Accusation): CanonicalObject {
  return { evidence: accusationToCanonical(accusation) };
}

/** Reads the body of `evidence.record`: shape and bounds. @throws {QuorumgateError} format errors */
export function readEvidenceBody(reader: FieldReader): EvidenceBody {
  const accusation = readAccusation(reader.value("evidence"));
  reader.end();
  return { kind: "evidence.record", accusation };
}

function readNumber(reader: FieldReader, name: string): number {
  return reader.integer(name, { min: 0, max: Number.MAX_SAFE_INTEGER });
}
