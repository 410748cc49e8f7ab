import type { Cosignature, LogPoint } from "#audit";
import {
  type Accusation,
  accusationClaims,
  findMember,
  type Hash,
  type Membership,
  type NodeId,
  type Prefix,
  type SignatureVerifier,
} from "#base";
import { forgetUpTo } from "../by-height.ts";

/** Certified heights whose cosignatures are kept for comparing: a liar's line may come after the quorum's. */
const HEIGHTS_KEPT = 16;
/** Looks at what one node says of one height: a liar may not shield itself by a forgery that it sends first, nor keep this node busy. */
const LOOKS_MAX = 3;

/** What comparing stands on. */
export interface FalseRootsOptions {
  readonly cluster: Hash;
  readonly verifier: SignatureVerifier;
  /** Members of the epoch that a height belongs to. */
  readonly membershipAt: (height: number) => Membership;
  /** What this node's log has at a smaller size, with the proof; undefined where it cannot say. */
  prefixOf(size: number, point: LogPoint): Prefix | undefined;
  onAccusation(accusation: Accusation): void;
}

interface CertifiedHeight {
  readonly point: LogPoint;
  readonly cosignatures: readonly Cosignature[];
}

/** Lines of one node of sizes that this log did not have: kept until it has. */
const ODD_MAX = 2;

interface OddLine {
  readonly height: number;
  readonly origin: string;
  readonly said: Cosignature;
}

/** Finds who cosigned another root of the log than a quorum, or two roots itself (docs/protocols/evidence.md, F2). */
export class FalseRoots {
  readonly #options: FalseRootsOptions;
  readonly #certified = new Map<number, CertifiedHeight>();
  /** By node. */
  readonly #odd = new Map<NodeId, readonly OddLine[]>();
  /** By height and node. */
  readonly #looks = new Map<number, Map<NodeId, number>>();

  constructor(options: FalseRootsOptions) {
    this.#options = options;
  }

  /** A quorum cosigned the point; `others` are further lines of that height, not verified. */
  onCertified(height: number, certified: CertifiedHeight, others: Iterable<Cosignature>): void {
    this.#certified.set(height, certified);
    forgetUpTo(this.#certified, height - HEIGHTS_KEPT);
    for (const old of this.#looks.keys()) if (old <= height - HEIGHTS_KEPT) this.#looks.delete(old);
    for (const other of others) this.onCosignature(height, other);
    this.#compareOdd(height, certified);
  }

  /** A line of a height that may be certified already. */
  onCosignature(height: number, said: Cosignature): void {
    const certified = this.#certified.get(height);
    if (certified === undefined) return;
    if (said.size !== certified.point.size) return this.#keepOdd({ height, origin: certified.point.origin, said });
    if (said.root === certified.point.root) return;
    const own = certified.cosignatures.find(({ node }) => node === said.node);
    if (own !== undefined) this.onPair(height, { point: certified.point, lines: [said, own] });
    else this.#look(height, said.node, (membership) => endorsementOf(membership, said, certified));
  }

  /** Two lines of one node for one height. */
  onPair(height: number, { point, lines }: { readonly point: LogPoint; readonly lines: readonly [Cosignature, Cosignature] }): void {
    const [first, second] = lines;
    if (first.size !== second.size || first.root === second.root) return;
    this.#look(height, first.node, (membership) => pairOf(membership, point.origin, lines));
  }

  #keepOdd(line: OddLine): void {
    const { node } = line.said;
    const known = this.#odd.get(node) ?? [];
    if (known.length < ODD_MAX) this.#odd.set(node, [...known, line]);
  }

  /** A log that has grown past the size tells what its root was there. */
  #compareOdd(height: number, certified: CertifiedHeight): void {
    for (const [node, lines] of this.#odd) {
      this.#odd.set(
        node,
        lines.filter((line) => !this.#isComparable(line, { height, ...certified })),
      );
      for (const line of lines) {
        const { said } = line;
        if (!this.#isComparable(line, { height, ...certified })) continue;
        const prefix = this.#options.prefixOf(said.size, certified.point);
        if (prefix === undefined || prefix.root === said.root) continue;
        this.#look(line.height, node, (membership) => endorsementOf(membership, said, { ...certified, prefix }));
      }
    }
  }

  /** One log and one epoch, and the log is longer now. */
  #isComparable(line: OddLine, { height, point }: CertifiedHeight & { readonly height: number }): boolean {
    const { membershipAt } = this.#options;
    const isOneEpoch = membershipAt(line.height).epoch === membershipAt(height).epoch;
    return isOneEpoch && line.origin === point.origin && line.said.size > 0 && line.said.size < point.size;
  }

  #look(height: number, node: NodeId, accuse: (membership: Membership) => Accusation | undefined): void {
    const looks = this.#looks.get(height) ?? new Map<NodeId, number>();
    const count = looks.get(node) ?? 0;
    const accusation = count < LOOKS_MAX ? accuse(this.#options.membershipAt(height)) : undefined;
    if (accusation === undefined) return;
    this.#looks.set(height, looks.set(node, count + 1));
    this.#options.verifier.verify(accusationClaims(this.#options.cluster, accusation), (verdicts) => {
      if (!verdicts.every(Boolean) || (looks.get(node) ?? 0) > LOOKS_MAX) return;
      looks.set(node, LOOKS_MAX + 1);
      this.#options.onAccusation(accusation);
    });
  }
}

function accusedOf(membership: Membership, node: NodeId): Pick<Accusation, "epoch" | "node" | "key"> | undefined {
  const key = findMember(membership, node)?.keys.log;
  return key === undefined ? undefined : { epoch: membership.epoch, node, key };
}

function pairOf(membership: Membership, origin: string, [first, second]: readonly [Cosignature, Cosignature]): Accusation | undefined {
  const accused = accusedOf(membership, first.node);
  if (accused === undefined) return undefined;
  return { kind: "conflicting-checkpoints", ...accused, origin, first: statementOf(first), second: statementOf(second) };
}

function endorsementOf(
  membership: Membership,
  said: Cosignature,
  { point, cosignatures, prefix }: CertifiedHeight & { readonly prefix?: Prefix },
): Accusation | undefined {
  const accused = accusedOf(membership, said.node);
  if (accused === undefined) return undefined;
  const endorsers = cosignatures.flatMap(({ node, logSignature: signature }) => {
    const key = findMember(membership, node)?.keys.log;
    return key === undefined ? [] : [{ node, key, signature }];
  });
  const { origin, size, root } = point;
  const first = statementOf(said);
  const certified = { size, root, endorsers };
  return { kind: "false-endorsement", ...accused, origin, first, certified, ...(prefix === undefined ? {} : { prefix }) };
}

function statementOf({ size, root, logSignature }: Cosignature): { size: number; root: Hash; signature: Uint8Array } {
  return { size, root, signature: logSignature };
}
