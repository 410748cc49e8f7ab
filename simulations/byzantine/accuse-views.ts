import {
  type Accusation,
  findMember,
  type Hash,
  type NewViewStatement,
  type NodeId,
  type ViewAccusation,
  type ViewChangeStatement,
  VOTE_TYPE,
  type VoteStatement,
} from "#base";
import { type ConsensusMessage, newViewStatement, type ViewChange, viewChangeStatement } from "#consensus";
import type { ActorPorts } from "./actor.ts";
import { signedViewChange } from "./votes.ts";

const KEPT = 24;

/** Something true that a node said, in an epoch. */
interface Said<T> {
  readonly node: NodeId;
  readonly epoch: number;
  readonly statement: T;
}

/** True commits, view changes and new-views of others, to be held against each other though nothing is wrong with them. */
export class ViewsHeard {
  readonly #ports: ActorPorts;
  readonly #commits: Said<VoteStatement>[] = [];
  readonly #viewChanges: Said<ViewChangeStatement>[] = [];
  readonly #newViews: Said<NewViewStatement>[] = [];

  constructor(ports: ActorPorts) {
    this.#ports = ports;
  }

  note(node: NodeId, message: ConsensusMessage): void {
    if (message.type === "commit") {
      const { epoch, height, view, digest, signature } = message;
      keep(this.#commits, { node, epoch, statement: { type: VOTE_TYPE.pbftCommit, height, view, digest, validRound: -1, signature } });
    } else if (message.type === "view-change") {
      keep(this.#viewChanges, { node, epoch: message.epoch, statement: this.#statementOf(message) });
    } else if (message.type === "new-view") {
      const { epoch, signature } = message;
      keep(this.#newViews, { node, epoch, statement: { ...newViewStatement(message), signature } });
    }
  }

  /** A view change that an honest node did sign, and something else of it; or words that it never said. Undefined before anybody asked for a view. */
  accusation(): Accusation | undefined {
    const { random } = this.#ports;
    if (this.#viewChanges.length === 0) return undefined;
    const { node, epoch, statement: second } = random.pick(this.#viewChanges);
    const key = findMember(this.#ports.membership, node)?.keys.vote;
    if (key === undefined) return undefined;
    const of = <T>(said: readonly Said<T>[]): T[] => said.flatMap((one) => (one.node === node && one.epoch === epoch ? one.statement : []));
    const [changes, commits, newViews] = [of(this.#viewChanges), of(this.#commits), of(this.#newViews)];
    const pairs: Omit<ViewAccusation, "epoch" | "node" | "key">[] = [
      { kind: "double-view-change", first: random.pick(changes), second },
      { kind: "double-view-change", first: this.#invented(node, epoch, second), second },
    ];
    // What the view change answers for, if there is such a commit: the certificate that it names is all that speaks for it.
    const near = commits.filter(({ height, view }) => height >= second.height && view < second.view);
    if (commits.length > 0) pairs.push({ kind: "hidden-certificate", first: random.pick(near.length > 0 ? near : commits), second });
    if (near.length > 0) pairs.push({ kind: "hidden-certificate", first: random.pick(near), second: this.#invented(node, epoch, second) });
    if (newViews.length > 0) pairs.push({ kind: "double-new-view", first: random.pick(newViews), second: random.pick(newViews) });
    return { epoch, node, key, ...random.pick(pairs) } as ViewAccusation;
  }

  /** Put into its mouth, under a key that is not its own. */
  #invented(node: NodeId, epoch: number, { height, view }: ViewChangeStatement): ViewChangeStatement {
    const parent: Hash = this.#ports.cluster;
    const said = { type: "view-change" as const, epoch, height, view, sender: node, parent, prepared: [] };
    return this.#statementOf(signedViewChange(said, this.#ports));
  }

  #statementOf(message: ViewChange): ViewChangeStatement {
    return { ...viewChangeStatement(this.#ports.hasher, message), signature: message.signature };
  }
}

function keep<T>(kept: Said<T>[], said: Said<T>): void {
  kept.push(said);
  if (kept.length > KEPT) kept.shift();
}
