import {
  accusationClaims,
  accusationName,
  contradicts,
  findMember,
  type Hash,
  LIMITS,
  leaderOf,
  type Membership,
  type NodeId,
  phaseOf,
  type SignatureVerifier,
  VOTE_TYPE,
  type VoteAccusation,
  votePurpose,
  ZERO_HASH,
} from "#base";
import { proposerOf, type SeenVote } from "#consensus";

/** A vote or proposal and whose it is said to be. */
export interface HeardVote {
  readonly node: NodeId;
  readonly vote: SeenVote;
}

/** What comparing stands on. */
export interface HeardVotesOptions {
  readonly cluster: Hash;
  readonly verifier: SignatureVerifier;
  tipHeight(): number;
  membershipOf(epoch: number): Membership | undefined;
  /** Shows the others two statements that do not go together. */
  tell(heard: readonly HeardVote[]): void;
  onAccusation(accusation: VoteAccusation): void;
}

/** What was heard of one view of one height. */
interface Slot {
  proposal: HeardVote | undefined;
  readonly votes: HeardVote[];
}

interface AtHeight {
  readonly slots: Map<string, Slot>;
  /** Whose statements were shown to the others. */
  readonly told: Map<NodeId, number>;
  /** Comparisons that were asked for, by who asked. */
  readonly looks: Map<NodeId, number>;
  /** Names of what was proved: two peers show the same. */
  readonly proved: Set<string>;
}

/** Heights below the tip that are still compared: what others show may come late. */
const HEIGHTS_BELOW = 8;
const HEIGHTS_ABOVE = 2 * LIMITS.windowMax;
/** Views of one height. */
const VIEWS_MAX = 8;
/** Times that one node's statements of one height are shown to the others. */
const TOLD_MAX = 2;
/** Comparisons of one height that one peer may ask for: each costs two verifications. */
const LOOKS_MAX = 8;

/**
 * Finds who tells one story here and another there. A vote for something else than what its leader proposed means that one of the two lies to somebody: both
 * are shown to everybody, and who holds the other story has the proof (docs/protocols/evidence.md, F1). Nothing is sent while nobody lies.
 */
export class HeardVotes {
  readonly #options: HeardVotesOptions;
  readonly #heights = new Map<number, AtHeight>();

  constructor(options: HeardVotesOptions) {
    this.#options = options;
  }

  /** What a peer said itself. Its signature is not verified before somebody is accused. */
  note(node: NodeId, vote: SeenVote): void {
    const at = this.#at(vote.height);
    if (at === undefined) return;
    const slot = slotOf(at, vote);
    const heard = { node, vote };
    if (votePurpose(vote.type) === "proposal") {
      if (slot.proposal !== undefined || !this.#leads(node, vote)) return;
      slot.proposal = heard;
      for (const other of slot.votes) this.#doubt(at, other, heard);
    } else if (findIn(slot, node, vote) === undefined) {
      slot.votes.push(heard);
      if (slot.proposal !== undefined) this.#doubt(at, heard, slot.proposal);
    }
  }

  /** Forgets heights that are long decided. */
  onApplied(height: number): void {
    for (const old of this.#heights.keys()) if (old <= height - HEIGHTS_BELOW) this.#heights.delete(old);
  }

  /** What a peer says that others said to it. */
  onHeard(peer: NodeId, heard: readonly HeardVote[]): void {
    for (const { node, vote } of heard) {
      const at = this.#heights.get(vote.height);
      const slot = at?.slots.get(slotKey(vote));
      const known = slot === undefined ? undefined : findIn(slot, node, vote);
      if (at === undefined || slot === undefined || known === undefined || isSame(known, vote)) continue;
      const looks = at.looks.get(peer) ?? 0;
      if (looks >= LOOKS_MAX) return;
      at.looks.set(peer, looks + 1);
      this.#accuse({ at, slot }, node, [known, vote]);
    }
  }

  /** What another proposes is no story of the leader's, and must not stand before it. */
  #leads(node: NodeId, { type, epoch, height, view }: SeenVote): boolean {
    const members = this.#options.membershipOf(epoch);
    if (members === undefined) return false;
    return node === (type === VOTE_TYPE.pbftPropose ? leaderOf(members, view) : proposerOf(members, height, view));
  }

  /** A vote for what its leader did not propose. */
  #doubt(at: AtHeight, heard: HeardVote, proposal: HeardVote): void {
    const { node, vote } = heard;
    if (vote.digest === proposal.vote.digest || vote.digest === ZERO_HASH) return;
    const told = at.told.get(node) ?? 0;
    if (told >= TOLD_MAX) return;
    at.told.set(node, told + 1);
    this.#options.tell([heard, proposal]);
  }

  #accuse(
    { at, slot }: { readonly at: AtHeight; readonly slot: Slot },
    node: NodeId,
    [first, second]: readonly [SeenVote, SeenVote],
  ): void {
    const { cluster, verifier, membershipOf, onAccusation } = this.#options;
    const members = membershipOf(first.epoch);
    const key = members === undefined ? undefined : findMember(members, node)?.keys.vote;
    if (key === undefined) return;
    const kind = votePurpose(first.type) === "proposal" ? "double-proposal" : "double-vote";
    const [{ epoch, ...one }, { epoch: _same, ...other }] = [first, second];
    const accusation: VoteAccusation = { kind, epoch, node, key, first: one, second: other };
    const name = accusationName(accusation);
    if (!contradicts(accusation) || at.proved.has(name)) return;
    verifier.verify(accusationClaims(cluster, accusation), ([isFirst, isSecond]) => {
      if (isFirst === true && isSecond === true) {
        if (at.proved.has(name)) return;
        at.proved.add(name);
        onAccusation(accusation);
      }
      // What was heard first was a forgery: it must not shield the rest.
      if (isFirst === false && isSecond === true) replace(slot, { node, vote: first }, { node, vote: second });
    });
  }

  #at(height: number): AtHeight | undefined {
    const known = this.#heights.get(height);
    if (known !== undefined) return known;
    const tip = this.#options.tipHeight();
    if (height <= tip - HEIGHTS_BELOW || height > tip + HEIGHTS_ABOVE) return undefined;
    const at: AtHeight = { slots: new Map(), told: new Map(), looks: new Map(), proved: new Set() };
    this.#heights.set(height, at);
    return at;
  }
}

function slotOf(at: AtHeight, vote: SeenVote): Slot {
  const key = slotKey(vote);
  const known = at.slots.get(key);
  if (known !== undefined) return known;
  if (at.slots.size >= VIEWS_MAX) dropLeastHeard(at.slots);
  const slot: Slot = { proposal: undefined, votes: [] };
  at.slots.set(key, slot);
  return slot;
}

/** A liar can talk of many views, but only honest members make one in which many talk. */
function dropLeastHeard(slots: Map<string, Slot>): void {
  const speakers = ({ proposal, votes }: Slot): number =>
    new Set([...votes, ...(proposal === undefined ? [] : [proposal])].map(({ node }) => node)).size;
  const [least] = [...slots].sort(([, left], [, right]) => speakers(left) - speakers(right));
  if (least !== undefined) slots.delete(least[0]);
}

function slotKey({ epoch, view }: SeenVote): string {
  return `${epoch}/${view}`;
}

/** The first vote of the node in the phase of this one. */
function findIn({ proposal, votes }: Slot, node: NodeId, vote: SeenVote): SeenVote | undefined {
  if (votePurpose(vote.type) === "proposal") return proposal?.node === node ? proposal.vote : undefined;
  return votes.find((heard) => heard.node === node && phaseOf(heard.vote.type) === phaseOf(vote.type))?.vote;
}

function isSame(left: SeenVote, right: SeenVote): boolean {
  return left.type === right.type && left.digest === right.digest && left.validRound === right.validRound;
}

function replace(slot: Slot, before: HeardVote, after: HeardVote): void {
  if (slot.proposal?.vote === before.vote) slot.proposal = after;
  const index = slot.votes.findIndex(({ vote }) => vote === before.vote);
  if (index >= 0) slot.votes[index] = after;
}
