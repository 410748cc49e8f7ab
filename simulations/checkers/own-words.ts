import {
  type AccusationKind,
  contradicts,
  type Hasher,
  type NewViewStatement,
  type NodeId,
  parsePublicKey,
  toBase64Url,
  type ViewAccusation,
  type ViewChangeStatement,
  VOTE_TYPE,
  type VoteStatement,
} from "#base";
import { type ConsensusMessage, newViewStatement, viewChangeStatement } from "#consensus";

interface Words {
  readonly commits: Map<string, VoteStatement>;
  readonly viewChanges: Map<string, ViewChangeStatement>;
  readonly newViews: Map<string, NewViewStatement>;
}

type Pair = Pick<ViewAccusation, "first" | "second"> & { readonly kind: AccusationKind };

/** Whose key it is does not matter here. */
const KEY = parsePublicKey(toBase64Url(new Uint8Array(32)));

/**
 * All that an honest node's core ever said of views and commits, over restarts and lost disks: whether any two of it would convict it, heard together by
 * somebody or not (A5).
 */
export class OwnWords {
  readonly #hasher: Hasher;
  readonly #window: number;
  readonly #words = new Map<string, Words>();

  /** @param window heights in flight */
  constructor(hasher: Hasher, window: number) {
    this.#hasher = hasher;
    this.#window = window;
  }

  /** Takes up what a node says; gives the kind of evidence that it would make together with what it said before. */
  contradicted(node: NodeId, message: ConsensusMessage): AccusationKind | undefined {
    switch (message.type) {
      case "commit": {
        const { epoch, height, view, digest, signature } = message;
        const first: VoteStatement = { type: VOTE_TYPE.pbftCommit, height, view, digest, validRound: -1, signature };
        const words = this.#of(node, epoch);
        if (!isNew(words.commits, first)) return undefined;
        return this.#find({ node, epoch }, () => others(words.viewChanges, (second) => ({ kind: "hidden-certificate", first, second })));
      }
      case "view-change": {
        const second = { ...viewChangeStatement(this.#hasher, message), signature: message.signature };
        const words = this.#of(node, message.epoch);
        if (!isNew(words.viewChanges, second)) return undefined;
        return this.#find({ node, epoch: message.epoch }, () => [
          ...others(words.viewChanges, (first) => ({ kind: "double-view-change", first, second })),
          ...others(words.commits, (first) => ({ kind: "hidden-certificate", first, second })),
        ]);
      }
      case "new-view": {
        const second = { ...newViewStatement(message), signature: message.signature };
        const words = this.#of(node, message.epoch);
        if (!isNew(words.newViews, second)) return undefined;
        return this.#find({ node, epoch: message.epoch }, () =>
          others(words.newViews, (first) => ({ kind: "double-new-view", first, second })),
        );
      }
      default:
        return undefined;
    }
  }

  #find(accused: { readonly node: NodeId; readonly epoch: number }, pairs: () => readonly Pair[]): AccusationKind | undefined {
    const { node, epoch } = accused;
    return pairs().find(({ kind, first, second }) =>
      contradicts({ node, epoch, key: KEY, kind, first, second } as ViewAccusation, this.#window),
    )?.kind;
  }

  #of(node: NodeId, epoch: number): Words {
    const key = `${node}/${epoch}`;
    const words = this.#words.get(key) ?? { commits: new Map(), viewChanges: new Map(), newViews: new Map() };
    this.#words.set(key, words);
    return words;
  }
}

function isNew<T extends { readonly height: number; readonly view: number; readonly signature: Uint8Array }>(
  said: Map<string, T>,
  statement: T,
): boolean {
  const key = `${statement.height}/${statement.view}/${toBase64Url(statement.signature)}`;
  if (said.has(key)) return false;
  said.set(key, statement);
  return true;
}

function others<T>(said: ReadonlyMap<string, T>, pair: (statement: T) => Pair): Pair[] {
  return [...said.values()].map(pair);
}
