import {
  type Hash,
  holdsOneHonest,
  invariant,
  LIMITS,
  type Membership,
  type NodeId,
  type SignatureClaim,
  totalWeight,
  VOTE_TYPE,
  type VoteType,
  weightOf,
  ZERO_HASH,
} from "#base";
import { Ballot, type BallotVote } from "../ballot.ts";
import type { Proposal, Tip } from "../block.ts";
import { voteClaim } from "../certificates.ts";
import { Patience } from "../patience.ts";
import { type VotingSettings, VotingState } from "../voting-state.ts";
import type { PassedProposal, Polka, Precommit, Prevote, RoundCertificate, RoundProposal } from "./messages.ts";
import { PACES, Punctuality } from "./punctuality.ts";
import { bodyKey } from "./records.ts";
import type { TendermintRules, TendermintTiming } from "./rules.ts";

/** Messages of one sender kept for later heights. */
const LATER_PER_SENDER_MAX = 16;
/** Rounds of a height before the present one that are remembered, with a block of each at most. */
const ROUNDS_EARLIER_MAX = 16;
/** Rounds after it: whoever is farther ahead shows why (T14). */
const ROUNDS_AHEAD_MAX = 16;

/** What does not change while a core runs. */
export interface TendermintSettings extends VotingSettings {
  readonly engine: "tendermint";
  readonly rules: TendermintRules;
  readonly timing: TendermintTiming;
}

/** A proposal of a round, as far as it is checked. */
export interface ReceivedProposal {
  readonly proposal: Proposal;
  readonly validRound: number;
  readonly signature: Uint8Array;
  verdict: "checking" | "valid" | "invalid";
}

/** A proposal that others were asked for. */
interface Wanted {
  /** The round in which it was missing. */
  readonly round: number;
  /** Who was asked and has not answered yet. */
  readonly asked: Set<NodeId>;
}

/** What is known of one round. */
export class Round {
  readonly prevotes: Ballot;
  readonly precommits: Ballot;
  proposal: ReceivedProposal | undefined;
  /** The verified prevotes of a quorum for one value, once they are there. */
  polka: Polka | undefined;
  isPolkaShown: boolean = false;
  /** Slots that somebody was blamed for: replayed contradictions are not evidence again. */
  readonly blamed: Set<string> = new Set();

  constructor(settings: TendermintSettings) {
    this.prevotes = new Ballot(settings.membership, settings.rules.isQuorum);
    this.precommits = new Ballot(settings.membership, settings.rules.isQuorum);
  }
}

/** The state of one core. Mutable and private to the core. */
export class TendermintState extends VotingState<TendermintSettings> {
  round: number = 0;
  step: "propose" | "prevote" | "precommit" = "propose";
  locked: { readonly round: number; readonly digest: Hash } | undefined;
  /** The newest value that a polka proved, with the polka: what this node proposes when its turn comes. */
  valid: Polka | undefined;
  /** Values that were validated, by digest. */
  readonly bodies: Map<Hash, Proposal> = new Map();
  /** Values whose proposal others were asked for (T20). */
  readonly wanted: Map<Hash, Wanted> = new Map();
  /** Why this node is in its round; undefined in round 0. */
  entry: RoundCertificate | undefined;
  sent: { proposal?: RoundProposal; prevote?: Prevote; precommit?: Precommit } = {};
  /** A round of which a restart knows that this node prevoted for a value, and not by which valid round: the guard gives that signature alone. */
  unsureRound: number | undefined;
  /** Something of the height was seen: its rounds have begun (T13). */
  begun: boolean = false;
  /** How many members lie at most: as many of the lightest as weigh less than a third together. */
  readonly liarsMax: number;
  readonly patience: Patience = new Patience();
  /** The pace as it was when the accounts had changed so often: it is asked for with every input. */
  #measured: { readonly changes: number; readonly pace: number | undefined } = { changes: -1, pace: undefined };
  readonly punctuality: Punctuality = new Punctuality();
  /** Proposers whose genuine proposals came after they had been given up, since the waits were last changed. */
  readonly #late = new Set<NodeId>();
  /** Rounds whose proposal did not come in the whole time that it is due. */
  readonly #givenUp = new Set<number>();
  readonly #rounds = new Map<number, Round>();

  constructor(settings: TendermintSettings, tip: Tip) {
    super(settings, tip, { laterPerSenderMax: LATER_PER_SENDER_MAX });
    this.liarsMax = liarsMaxOf(settings.membership);
  }

  override isInWindow(height: number): boolean {
    return height === this.height;
  }

  get proposer(): NodeId {
    return this.proposerAt(this.round);
  }

  proposerAt(round: number): NodeId {
    const { rules, membership } = this.settings;
    return rules.proposerOf(membership, this.height, round);
  }

  /** What is remembered of a round. */
  known(round: number): Round | undefined {
    return this.#rounds.get(round);
  }

  /**
   * The record of a round; undefined for one that is not worth remembering.
   * @param isProved whether it is of a polka that was verified: that finds room for any round
   */
  at(round: number, isProved: boolean = false): Round | undefined {
    const known = this.#rounds.get(round);
    if (known !== undefined) return known;
    if (round > this.round + LIMITS.viewAheadMax) return undefined;
    if (!this.#makeRoom(round, isProved)) return undefined;
    const record = new Round(this.settings);
    this.#rounds.set(round, record);
    return record;
  }

  /** The record of the present round. */
  current(): Round {
    const record = this.at(this.round);
    invariant(record !== undefined, "the present round is remembered");
    return record;
  }

  /** The newest proposal of a value that this node held valid, as its proposer said it. */
  proposalOf(digest: Hash): PassedProposal | undefined {
    const newest = this.rounds().findLast(([, { proposal }]) => proposal?.proposal.digest === digest && proposal.verdict === "valid");
    const said = newest?.[1].proposal;
    if (newest === undefined || said === undefined) return undefined;
    const { headerBytes, certifiedProof, batch } = said.proposal;
    const { signature, validRound } = said;
    const { epoch, height } = this;
    return { type: "passed-proposal", epoch, height, view: newest[0], validRound, headerBytes, certifiedProof, batch, signature };
  }

  /** True for a value that a polka or a quorum of precommits names. */
  isNamed(digest: Hash): boolean {
    return this.rounds().some(([, { polka, precommits }]) => polka?.digest === digest || precommits.quorum(digest) !== undefined);
  }

  /** Rounds of which something is known, in ascending order. */
  rounds(): readonly (readonly [number, Round])[] {
    return [...this.#rounds].sort(([a], [b]) => a - b);
  }

  /** The check of a vote's signature; undefined for a stranger. */
  claimOf(
    vote: Pick<BallotVote, "node" | "digest" | "signature" | "validRound">,
    round: number,
    type: VoteType,
  ): SignatureClaim | undefined {
    const { node, digest, signature, validRound = -1 } = vote;
    return voteClaim(this.settings, {
      node,
      slot: { epoch: this.epoch, height: this.height, view: round, digest, validRound },
      type: typeOf(type, digest),
      signature,
    });
  }

  /**
   * The fastest pace at which members with a quorum propose in time, in a round that liars alone may spoil: then nobody else is waited for much
   * longer (T17). Undefined where most are slower than any: it is the network then.
   */
  get pace(): number | undefined {
    const { membership, self } = this.settings;
    if (this.round > this.liarsMax) return undefined;
    const { changes } = this.punctuality;
    if (this.#measured.changes === changes) return this.#measured.pace;
    const isPunctual = (id: NodeId, pace: number): boolean => id === self || this.punctuality.isPunctual(id, pace);
    const pace = PACES.find((each) => this.isQuorum(membership.members.flatMap(({ id }) => (isPunctual(id, each) ? [id] : []))));
    this.#measured = { changes, pace };
    return pace;
  }

  /** The present round's proposal was waited for in vain as long as it is due. */
  noteGivenUp(): void {
    if (this.step === "propose" && this.pace === undefined) this.#givenUp.add(this.round);
  }

  /**
   * A genuine proposal came. Once it was too late of members with one honest among them, the waits were too short (T16); a proposer that is slow
   * on purpose makes nobody wait longer.
   */
  noteProposal(proposer: NodeId, round: number): void {
    if (!this.#givenUp.has(round)) return;
    this.#late.add(proposer);
    if (!holdsOneHonest(weightOf(this.settings.membership, this.#late), this.total)) return;
    this.#late.clear();
    this.patience.lengthen();
  }

  /** The next height begins in round 0. */
  override moveTo(tip: Tip): void {
    invariant(tip.height === this.height, "heights are decided in order");
    this.tip = tip;
    if (this.patience.onDecided()) this.#late.clear();
    this.round = 0;
    this.step = "propose";
    this.locked = undefined;
    this.valid = undefined;
    this.entry = undefined;
    this.unsureRound = undefined;
    this.begun = false;
    this.bodies.clear();
    this.wanted.clear();
    this.#rounds.clear();
    this.#givenUp.clear();
    this.sent = {};
  }

  /**
   * Rounds ahead give way to nearer ones, earlier rounds to later ones; the rounds of polkas stay longest, since their values may be proposed again.
   * Neither ahead nor earlier ones push out the others: a liar may vote in many rounds.
   */
  #makeRoom(wanted: number, isProved: boolean): boolean {
    const rounds = this.rounds();
    if (wanted > this.round) {
      const ahead = rounds.filter(([round]) => round > this.round);
      const farthest = ahead.at(-1)?.[0] ?? 0;
      if (ahead.length < ROUNDS_AHEAD_MAX) return true;
      return (isProved || farthest > wanted) && this.#forget(farthest);
    }
    const earlier = rounds.filter(([round]) => round < this.round);
    const oldest = [false, true].flatMap((has) => earlier.filter(([, { polka }]) => (polka !== undefined) === has).map(([round]) => round));
    const [first = wanted] = oldest;
    if (wanted < this.round) return earlier.length < ROUNDS_EARLIER_MAX || ((isProved || first < wanted) && this.#forget(first));
    // Whoever goes to another round leaves those behind that it was in or near.
    for (const round of oldest.slice(0, Math.max(0, earlier.length - ROUNDS_EARLIER_MAX))) this.#forget(round);
    return true;
  }

  /** Lets a round go, and its value, unless that is needed otherwise. */
  #forget(round: number): boolean {
    const digest = this.#rounds.get(round)?.proposal?.proposal.digest;
    this.#rounds.delete(round);
    if (digest === undefined || digest === this.valid?.digest || digest === this.locked?.digest) return true;
    if (this.rounds().some(([, { proposal }]) => proposal?.proposal.digest === digest)) return true;
    this.bodies.delete(digest);
    this.forgetRecords([bodyKey(this.height, digest)]);
    return true;
  }
}

function liarsMaxOf(membership: Membership): number {
  const total = totalWeight(membership);
  const weights = membership.members.map(({ weight }) => weight).sort((a, b) => a - b);
  let lying = 0;
  const first = weights.findIndex((weight) => {
    lying += weight;
    return 3 * lying >= total;
  });
  return Math.max(0, first);
}

/** True for the digest of a nil vote. */
export function isNil(digest: Hash): boolean {
  return digest === ZERO_HASH;
}

/** The type under which a vote is signed: nil votes have types of their own. */
export function typeOf(type: VoteType, digest: Hash): VoteType {
  if (!isNil(digest)) return type;
  return type === VOTE_TYPE.tendermintPrevote ? VOTE_TYPE.tendermintPrevoteNil : VOTE_TYPE.tendermintPrecommitNil;
}
