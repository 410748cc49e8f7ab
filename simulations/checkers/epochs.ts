import { type EngineName, type Hash, type Membership, totalWeight } from "#base";
import type { BlockEvent } from "#replica";
import { toleratesNoFault } from "../shape.ts";
import type { Intent } from "../workload.ts";

/** What the model of epochs knows of the cluster. */
export interface EpochContext {
  readonly engine: EngineName;
  /** Heights between a change and the first height of its epoch (docs/protocols/membership.md, M2). */
  readonly activationDelay: number;
  readonly membership: Membership;
  /** What a command of the workload asked for. */
  askedFor(command: Hash): Intent | undefined;
}

/**
 * Epochs by a model of their own that shares nothing with the state machine: which changes took effect, when they begin, and whose ids are
 * taken. Fed with each height once, in order.
 */
export class EpochModel {
  readonly #context: EpochContext;
  /** Heights at which a change of members took effect. */
  readonly #changes: number[] = [];
  readonly #taken: Set<string>;
  #weighed = 0;
  #height = 0;
  /** A height was missed: all who had it died before they told of it, and who may have changed there is not known. */
  #hasGap = false;

  constructor(context: EpochContext) {
    this.#context = context;
    this.#taken = new Set(context.membership.members.map(({ id }) => id));
  }

  /** What is wrong with a block, and with the members that decided it. */
  wrong({ height, results, entries }: BlockEvent, members: Membership | undefined): string[] {
    const found = members === undefined ? [] : this.#fatalMembers(members);
    const epoch = this.#changes.filter((at) => at + this.#context.activationDelay <= height).length;
    const sealed = entries.find(({ kind }) => kind === "block.sealed")?.content["epoch"];
    this.#hasGap ||= height !== this.#height + 1;
    this.#height = height;
    if (sealed !== epoch && !this.#hasGap)
      found.push(`height ${height} is of epoch ${JSON.stringify(sealed)}, and ${epoch} by the changes before it`);
    for (const { command, code } of results) {
      const intent = this.#context.askedFor(command);
      if (code === "OK" && intent?.kind === "govern") found.push(...this.#onChange(height, intent));
    }
    return found;
  }

  /** Whether a height lies above the end of the epoch, as far as changes took effect. */
  isBeyond(epoch: number, height: number): boolean {
    const changedAt = this.#hasGap ? undefined : this.#changes[epoch];
    return changedAt !== undefined && height >= changedAt + this.#context.activationDelay;
  }

  /** Members of an epoch, each of which could stop the others alone. Looked at once for each epoch. */
  #fatalMembers(membership: Membership): string[] {
    const { engine } = this.#context;
    const { epoch, members } = membership;
    // What genesis declares holds for good, also once such a cluster has grown.
    const declared = toleratesNoFault({ nodes: this.#context.membership.members.length, engine });
    if (epoch <= this.#weighed || declared) return [];
    this.#weighed = epoch;
    const factor = engine === "raft" ? 2 : 3;
    const total = totalWeight(membership);
    return members.filter(({ weight }) => factor * weight >= total).map(({ id }) => `${id} has too much weight in epoch ${epoch}`);
  }

  #onChange(height: number, { learner, changesMembers }: Intent): string[] {
    const found: string[] = [];
    if (learner !== undefined && this.#taken.has(learner)) found.push(`the id ${learner} is given to a second node at ${height}`);
    if (learner !== undefined) this.#taken.add(learner);
    if (changesMembers !== true) return found;
    if (this.#changes.some((at) => at + this.#context.activationDelay > height))
      found.push(`members change at ${height} while another change is in flight`);
    this.#changes.push(height);
    return found;
  }
}
