import {
  type Accusation,
  accusationClaims,
  accusationName,
  contradicts,
  equalBytes,
  findMember,
  type Hash,
  type Hasher,
  leaderOf,
  type Membership,
  type NewViewStatement,
  type NodeId,
  type SignatureVerifier,
  type ViewAccusation,
  type ViewChangeStatement,
  VOTE_TYPE,
  type VoteStatement,
} from "#base";
import {
  type ConsensusMessage,
  type HeardNewView,
  type NewView,
  newViewStatement,
  type ViewChange,
  type Vote,
  viewChangeStatement,
} from "#consensus";

/** What comparing stands on. */
export interface HeardViewsOptions {
  readonly cluster: Hash;
  readonly hasher: Hasher;
  readonly verifier: SignatureVerifier;
  /** Heights in flight. */
  readonly window: number;
  membershipOf(epoch: number): Membership | undefined;
  onAccusation(accusation: Accusation): void;
}

/** What one node said itself in an epoch, the newest of each. */
interface Said {
  readonly epoch: number;
  commits: VoteStatement[];
  viewChanges: ViewChangeStatement[];
  newViews: NewViewStatement[];
}

/** A statement of a node, and the peer that brought it: its own, or one that a new-view holds. */
interface Brought {
  readonly node: NodeId;
  readonly epoch: number;
  readonly by: NodeId;
}

type Statement = VoteStatement | ViewChangeStatement | NewViewStatement;

/** Commit votes of one node that are kept: those of the heights in flight, and of a few views of each. */
const COMMITS_MAX = 32;
const VIEW_CHANGES_MAX = 16;
const NEW_VIEWS_MAX = 4;
/** Comparisons between two decisions that one peer may ask for: each costs two verifications. */
const LOOKS_MAX = 8;
/** Names of what was proved that are kept: two peers bring the same. */
const PROVED_MAX = 64;

/**
 * Finds whose view changes and new-views do not go together, or hide what their sender committed (docs/protocols/evidence.md, F4). Each node's own word is kept;
 * a view change inside a new-view is compared with it, so whoever told the new leader something else is found by everybody.
 */
export class HeardViews {
  readonly #options: HeardViewsOptions;
  readonly #said = new Map<NodeId, Said>();
  readonly #looks = new Map<NodeId, number>();
  readonly #proved = new Set<string>();

  constructor(options: HeardViewsOptions) {
    this.#options = options;
  }

  /** What a peer said itself. No signature is verified before somebody is accused. */
  note(from: NodeId, message: ConsensusMessage): void {
    if (message.type === "commit") return this.#onCommit(from, message);
    if (message.type === "view-change") return this.#onViewChange(from, message);
    if (message.type === "new-view") return this.#onNewView(from, message);
    return message.type === "heard-new-view" ? this.#onShown(from, message) : undefined;
  }

  /** A decision: every peer may ask for comparisons again. */
  onApplied(): void {
    this.#looks.clear();
  }

  #onCommit(from: NodeId, message: Vote): void {
    const { epoch, height, view, digest } = message;
    const said = this.#saidBy(from, epoch);
    if (said === undefined) return;
    const first: VoteStatement = { type: VOTE_TYPE.pbftCommit, height, view, digest, validRound: -1, signature: own(message.signature) };
    if (said.commits.some((known) => isHeard(known, message))) return;
    keep(said.commits, first, COMMITS_MAX);
    for (const second of said.viewChanges) this.#compare({ node: from, epoch, by: from }, { kind: "hidden-certificate", first, second });
  }

  #onViewChange(from: NodeId, message: ViewChange): void {
    const said = message.sender === from ? this.#saidBy(from, message.epoch) : undefined;
    if (said === undefined || said.viewChanges.some((known) => isHeard(known, message))) return;
    const statement = this.#statementOf(message);
    this.#compareViewChange(said, { node: from, epoch: message.epoch, by: from }, statement);
    keep(said.viewChanges, statement, VIEW_CHANGES_MAX);
  }

  #onNewView(from: NodeId, message: NewView): void {
    const { epoch } = message;
    const said = this.#saidBy(from, epoch);
    if (said === undefined || said.newViews.some((known) => isHeard(known, message))) return;
    const second = copyOf({ ...newViewStatement(message), signature: message.signature });
    for (const first of said.newViews) this.#compare({ node: from, epoch, by: from }, { kind: "double-new-view", first, second });
    keep(said.newViews, second, NEW_VIEWS_MAX);
    for (const viewChange of message.viewChanges) {
      const { sender: node } = viewChange;
      const theirs = viewChange.epoch === epoch ? this.#said.get(node) : undefined;
      if (theirs?.epoch === epoch) this.#compareViewChange(theirs, { node, epoch, by: from }, this.#statementOf(viewChange));
    }
  }

  /** What a peer says that a leader said to it; compared with what the leader said to this node, and not kept. */
  #onShown(from: NodeId, message: HeardNewView): void {
    const { epoch, view } = message;
    const members = this.#options.membershipOf(epoch);
    if (members === undefined || findMember(members, from) === undefined) return;
    const node = leaderOf(members, view);
    const said = this.#said.get(node);
    if (said?.epoch !== epoch) return;
    const second = copyOf(message);
    for (const first of said.newViews) this.#compare({ node, epoch, by: from }, { kind: "double-new-view", first, second });
  }

  /** With what its sender said to this node: another view change for the same view, or a commit whose certificate it lacks. */
  #compareViewChange(said: Said, brought: Brought, second: ViewChangeStatement): void {
    for (const first of said.viewChanges) this.#compare(brought, { kind: "double-view-change", first, second });
    for (const first of said.commits) this.#compare(brought, { kind: "hidden-certificate", first, second });
  }

  #compare(brought: Brought, pair: Pairs): void {
    const { node, epoch, by } = brought;
    const { cluster, verifier, window, membershipOf } = this.#options;
    const members = membershipOf(epoch);
    const key = members === undefined ? undefined : findMember(members, node)?.keys.vote;
    if (key === undefined) return;
    const accusation: ViewAccusation = { epoch, node, key, ...pair };
    if (!contradicts(accusation, window)) return;
    const name = accusationName(accusation);
    const looks = this.#looks.get(by) ?? 0;
    if (this.#proved.has(name) || looks >= LOOKS_MAX) return;
    this.#looks.set(by, looks + 1);
    verifier.verify(accusationClaims(cluster, accusation), ([isFirst, isSecond]) => {
      if (isFirst === true && isSecond === true) this.#onProved(name, accusation);
      // What was heard first was a forgery: it must not shield the rest.
      if (isFirst === false) this.#forget(node, pair.first);
      if (isSecond === false) this.#forget(node, pair.second);
    });
  }

  #onProved(name: string, accusation: Accusation): void {
    if (this.#proved.has(name)) return;
    const [oldest] = this.#proved;
    if (this.#proved.size >= PROVED_MAX && oldest !== undefined) this.#proved.delete(oldest);
    this.#proved.add(name);
    this.#options.onAccusation(accusation);
  }

  #forget(node: NodeId, statement: Statement): void {
    const said = this.#said.get(node);
    if (said === undefined) return;
    said.commits = said.commits.filter((known) => known !== statement);
    said.viewChanges = said.viewChanges.filter((known) => known !== statement);
    said.newViews = said.newViews.filter((known) => known !== statement);
  }

  /** What a member said in the epoch; an older epoch's word makes room for a newer one's. */
  #saidBy(node: NodeId, epoch: number): Said | undefined {
    const known = this.#said.get(node);
    if (known?.epoch === epoch) return known;
    const members = this.#options.membershipOf(epoch);
    if (members === undefined || findMember(members, node) === undefined || (known !== undefined && known.epoch > epoch)) return undefined;
    const said: Said = { epoch, commits: [], viewChanges: [], newViews: [] };
    this.#said.set(node, said);
    return said;
  }

  #statementOf(message: ViewChange): ViewChangeStatement {
    return { ...viewChangeStatement(this.#options.hasher, message), signature: own(message.signature) };
  }
}

type Pairs =
  | { readonly kind: "hidden-certificate"; readonly first: VoteStatement; readonly second: ViewChangeStatement }
  | { readonly kind: "double-view-change"; readonly first: ViewChangeStatement; readonly second: ViewChangeStatement }
  | { readonly kind: "double-new-view"; readonly first: NewViewStatement; readonly second: NewViewStatement };

/** The same again: every sender repeats itself until it is answered. */
function isHeard(known: Statement, message: Pick<Statement, "height" | "view" | "signature">): boolean {
  return known.height === message.height && known.view === message.view && equalBytes(known.signature, message.signature);
}

/** A copy: what is kept of a message must not keep its whole frame in memory. */
function own(signature: Uint8Array): Uint8Array {
  return new Uint8Array(signature);
}

/** The statement alone, without the frame that it came in. */
function copyOf({ height, view, viewChanges, signature }: NewViewStatement): NewViewStatement {
  const copied = viewChanges.map((change) => ({ node: change.node, signature: own(change.signature) }));
  return { height, view, viewChanges: copied, signature: own(signature) };
}

/** Adds the newest; the oldest makes room. */
function keep<T>(kept: T[], statement: T, max: number): void {
  if (kept.length >= max) kept.shift();
  kept.push(statement);
}
