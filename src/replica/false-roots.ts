import type { Cosignature, LogPoint } from "#audit";
import { type Accusation, accusationClaims, findMember, type Hash, type Membership, type NodeId, type SignatureVerifier } from "#base";

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
  onAccusation(accusation: Accusation): void;
}

interface CertifiedHeight {
  readonly point: LogPoint;
  readonly cosignatures: readonly Cosignature[];
}

/** Finds who cosigned another root of the log than a quorum, or two roots itself (docs/protocols/evidence.md). */
export class FalseRoots {
  readonly #options: FalseRootsOptions;
  readonly #certified = new Map<number, CertifiedHeight>();
  /** By height and node. */
  readonly #looks = new Map<number, Map<NodeId, number>>();

  constructor(options: FalseRootsOptions) {
    this.#options = options;
  }

  /** A quorum cosigned the point; `others` are further lines of that height, not verified. */
  onCertified(height: number, certified: CertifiedHeight, others: Iterable<Cosignature>): void {
    this.#certified.set(height, certified);
    this.#certified.delete(height - HEIGHTS_KEPT);
    for (const old of this.#looks.keys()) if (old <= height - HEIGHTS_KEPT) this.#looks.delete(old);
    for (const other of others) this.onCosignature(height, other);
  }

  /** A line of a height that may be certified already. */
  onCosignature(height: number, said: Cosignature): void {
    const certified = this.#certified.get(height);
    if (certified === undefined || said.size !== certified.point.size || said.root === certified.point.root) return;
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

function endorsementOf(membership: Membership, said: Cosignature, { point, cosignatures }: CertifiedHeight): Accusation | undefined {
  const accused = accusedOf(membership, said.node);
  if (accused === undefined) return undefined;
  const endorsers = cosignatures.flatMap(({ node, logSignature: signature }) => {
    const key = findMember(membership, node)?.keys.log;
    return key === undefined ? [] : [{ node, key, signature }];
  });
  const { origin, size, root } = point;
  return { kind: "false-endorsement", ...accused, origin, first: statementOf(said), certified: { size, root, endorsers } };
}

function statementOf({ size, root, logSignature }: Cosignature): { size: number; root: Hash; signature: Uint8Array } {
  return { size, root, signature: logSignature };
}
