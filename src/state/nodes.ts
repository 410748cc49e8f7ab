import {
  FieldReader,
  type Genesis,
  invariant,
  LIMITS,
  type Member,
  type Membership,
  memberToCanonical,
  type NodeId,
  parseDecimal,
  parseMember,
  parseNodeId,
  type StateChange,
} from "#base";
import { Bucket, type Codec } from "./bucket.ts";
import { readOneOf, shapeError } from "./vocabulary.ts";

const STANDINGS = ["learner", "member", "retired"] as const;

/** A node that came by a command, or left by one. It stays for ever, so that neither its id nor its keys are used again. */
export interface NodeRecord {
  readonly member: Member;
  /** `member` from the height at which that was committed; `retired` likewise. */
  readonly standing: (typeof STANDINGS)[number];
  /** Height of the command that gave it this standing. */
  readonly height: number;
}

/** Members from a height on. */
export interface EpochRecord {
  readonly firstHeight: number;
  readonly membership: Membership;
}

const NODE_CODEC: Codec<NodeRecord> = {
  bucket: "node",
  write: ({ member, standing, height }) => ({ member: memberToCanonical(member), standing, height }),
  read(key, value) {
    const reader = new FieldReader(value, "node");
    const record = {
      member: parseMember(reader.value("member")),
      standing: readOneOf(reader, "standing", STANDINGS),
      height: height(reader, "height"),
    };
    reader.end();
    if (record.member.id !== parseNodeId(key)) throw shapeError("a node stands under its id");
    return record;
  },
};

const EPOCH_CODEC: Codec<EpochRecord> = {
  bucket: "epoch",
  write: ({ firstHeight, membership }) => ({ firstHeight, members: membership.members.map(memberToCanonical) }),
  read(key, value) {
    const reader = new FieldReader(value, "epoch");
    const epoch = parseDecimal(key.replace(/^0+(?=.)/, ""), "epoch");
    const members = reader.list("members", LIMITS.membersMax).map(parseMember);
    const record = { firstHeight: height(reader, "firstHeight"), membership: { epoch, members } };
    reader.end();
    if (epochKey(epoch) !== key) throw shapeError("an epoch stands under its number");
    return record;
  },
};

/** Who takes part, and who did: learners, members by epoch, and nodes that left. Epoch 0 is genesis's and is not stored again. */
export class Nodes {
  readonly #records: Bucket<NodeRecord>;
  readonly #rows: Bucket<EpochRecord>;
  /** By epoch; the index is the epoch's number. */
  readonly #epochs: EpochRecord[];

  /** @param onNode told of every node that is admitted or loaded, and of every member of each epoch */
  constructor(genesis: Genesis, onNode: (member: Member) => void) {
    this.#epochs = [{ firstHeight: 1, membership: genesis.membership }];
    this.#records = new Bucket(NODE_CODEC, ({ after }) => {
      if (after !== undefined) onNode(after.member);
    });
    this.#rows = new Bucket(EPOCH_CODEC, ({ after }) => {
      if (after === undefined) return;
      this.#epochs[after.membership.epoch] = after;
      // A member may hold other keys in each epoch; none of them is ever used again.
      after.membership.members.forEach(onNode);
    });
  }

  /** The epoch that a height belongs to; heights to come belong to the newest that is known, and what lies before the first block to epoch 0. */
  epochAt(height: number): EpochRecord {
    const { newest } = this;
    const begun =
      newest.firstHeight <= height ? newest : (this.#epochs.findLast((record) => record.firstHeight <= height) ?? this.#epochs[0]);
    invariant(begun !== undefined, "there is an epoch 0");
    return begun;
  }

  /** An epoch by its number, begun or not; undefined for one that is not known. */
  epoch(number: number): EpochRecord | undefined {
    return this.#epochs[number];
  }

  /** The newest epoch, begun or not. */
  get newest(): EpochRecord {
    const record = this.#epochs.at(-1);
    invariant(record !== undefined, "there is an epoch 0");
    return record;
  }

  /** The node as the running command sees it. */
  get(id: string): NodeRecord | undefined {
    return this.#records.get(id);
  }

  /** Learners in ascending id. */
  learners(): readonly Member[] {
    return this.records().flatMap(({ standing, member }) => (standing === "learner" ? [member] : []));
  }

  /** Every node that came or left by a command, in ascending id. */
  records(): readonly NodeRecord[] {
    return [...this.#records.keys()].sort().flatMap((id) => this.#records.get(id) ?? []);
  }

  put(record: NodeRecord): void {
    this.#records.put(record.member.id, record);
  }

  /** Adds the next epoch. */
  begin(record: EpochRecord): void {
    this.#rows.put(epochKey(record.membership.epoch), record);
  }

  commit(): void {
    this.#records.commit();
    this.#rows.commit();
  }

  drop(): void {
    this.#records.drop();
    this.#rows.drop();
  }

  takeChanges(): StateChange[] {
    return [...this.#records.takeChanges(), ...this.#rows.takeChanges()];
  }

  *entries(): IterableIterator<readonly [string, Uint8Array]> {
    yield* this.#records.entries();
    yield* this.#rows.entries();
  }

  /** Takes a stored row; false when the bucket is another's. @throws {QuorumgateError} format errors */
  load(bucket: string, { key, value }: { readonly key: string; readonly value: Uint8Array }): boolean {
    if (bucket !== this.#records.name && bucket !== this.#rows.name) return false;
    (bucket === this.#records.name ? this.#records : this.#rows).load(key, value);
    return true;
  }

  /** Refuses epochs with a gap, or that begin before the one before them. @throws {QuorumgateError} FORMAT_SHAPE_INVALID */
  check(): void {
    for (let epoch = 1; epoch < this.#epochs.length; epoch++) {
      const [before, record] = [this.#epochs[epoch - 1], this.#epochs[epoch]];
      if (before === undefined || record === undefined || record.firstHeight <= before.firstHeight)
        throw shapeError("the epochs have a gap");
    }
  }
}

/** The member with another weight. */
export function withWeight(member: Member, weight: number): Member {
  return { ...member, weight };
}

/** Members in ascending id. */
export function inOrder(members: Iterable<Member>): readonly Member[] {
  return [...members].sort((left: { readonly id: NodeId }, right) => (left.id < right.id ? -1 : 1));
}

function epochKey(epoch: number): string {
  return String(epoch).padStart(16, "0");
}

function height(reader: FieldReader, name: string): number {
  return reader.integer(name, { min: 1, max: Number.MAX_SAFE_INTEGER });
}
