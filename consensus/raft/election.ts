import type { NodeId } from "#base";
import type { VoteReply, VoteRequest } from "./messages.ts";
import type { RaftState } from "./state.ts";

/** Terms, votes and campaigns: rules E1 to E7. */
export class Election {
  readonly #state: RaftState;
  readonly #onElected: () => void;
  readonly #onDeposed: () => void;
  readonly #granted = new Set<NodeId>();
  /** The leader of this term that was silent too long. */
  #givenUp: NodeId | undefined;

  /** @param hooks.onDeposed runs whenever this node's term or role changes so that what it led or asked for is void */
  constructor(state: RaftState, hooks: { onElected(): void; onDeposed(): void }) {
    this.#state = state;
    this.#onElected = () => hooks.onElected();
    this.#onDeposed = () => hooks.onDeposed();
  }

  /** Members whose (pre-)vote this node has. */
  get granted(): readonly NodeId[] {
    return [...this.#granted];
  }

  /** True when this voter hears a leader: others are refused (rule E5). */
  get isSticky(): boolean {
    return this.#state.settings.rules.isSticky && this.#state.leader !== undefined;
  }

  /** Waits for a leader, whom nobody heard of yet. */
  begin(): void {
    const { electionTimeoutMs } = this.#state;
    this.#arm(electionTimeoutMs, electionTimeoutMs);
  }

  /** This node may vote from now on. */
  onParticipate(): void {
    const state = this.#state;
    if (state.leader !== undefined || !state.participates) return;
    if (state.voters.isQuorum([state.self])) this.#campaign(false);
    else this.#arm(0, state.electionTimeoutMs);
  }

  /** Follows in a term; a higher one is promised first. */
  follow(term: number, leader: NodeId | undefined): void {
    const state = this.#state;
    const isNew = term > state.term;
    if (isNew) state.promise(term, undefined);
    const { role } = state;
    state.role = "follower";
    const isOther = state.leader !== leader;
    state.leader = leader;
    if (isNew || role !== "follower" || isOther) this.#onDeposed();
    // Given up for its silence, and there all the while: the silence was the network's.
    if (leader !== undefined && leader === this.#givenUp && !isNew) state.patience.lengthen();
    this.#givenUp = undefined;
    if (leader !== undefined) this.#arm(state.electionTimeoutMs, 0);
    else if (isNew || role !== "follower") this.begin();
  }

  /** The driver doubts the leader: its link broke. */
  suspect(): void {
    const state = this.#state;
    if (state.leads || state.leader === undefined) return;
    state.leader = undefined;
    this.#onDeposed();
    this.#arm(0, state.electionTimeoutMs / 2);
  }

  /** Silence: first the leader is given up, then after a random while a campaign begins (rule E5). */
  onTimeout(): void {
    const state = this.#state;
    // Those who said they would vote did not in time.
    if (state.role === "candidate") state.patience.lengthen();
    const { electionTimeoutMs } = state;
    if (state.leader !== undefined) {
      this.#givenUp = state.leader;
      state.leader = undefined;
      this.#onDeposed();
      return this.#arm(0, electionTimeoutMs);
    }
    this.#arm(electionTimeoutMs / 2, electionTimeoutMs);
    if (!this.#mayLead()) return undefined;
    return state.settings.rules.asksBeforeCampaign ? this.#ask() : this.#campaign(false);
  }

  /** The leader hands over: no pre-vote, and stickiness does not count (thesis section 3.10). */
  onTimeoutNow(): void {
    if (this.#mayLead()) this.#campaign(true);
  }

  /** Rules E3 and E5. A request of a lower term was answered before. */
  onRequest(from: NodeId, message: VoteRequest): void {
    const state = this.#state;
    const { rules } = state.settings;
    const fits = message.pre ? message.term > state.term && !this.isSticky : message.term === state.term;
    const isFree = message.pre || !rules.votesOnce || state.vote === undefined || state.vote === from;
    const mayVote = state.participates && state.voters.has(state.self) && state.voters.isMember(from);
    const granted = fits && isFree && mayVote && rules.isUpToDate(message, state.end);
    if (granted && !message.pre) {
      if (state.vote !== from) state.promise(state.term, from);
      this.begin();
    }
    state.send(from, { type: "vote-reply", pre: message.pre, granted, term: granted ? message.term : state.term });
  }

  /** Rule E4. */
  onReply(from: NodeId, message: VoteReply): void {
    const state = this.#state;
    const expected = message.pre ? state.role === "pre-candidate" : state.role === "candidate";
    const term = message.pre ? state.term + 1 : state.term;
    if (!expected || !message.granted || message.term !== term) return;
    this.#granted.add(from);
    if (!state.voters.isQuorum(this.granted)) return;
    if (message.pre) this.#campaign(false);
    else this.#win();
  }

  #mayLead(): boolean {
    const { participates, voters, self, leads } = this.#state;
    return participates && !leads && voters.isMember(self);
  }

  /** Rule E1: a campaign that cannot win disturbs nobody. */
  #ask(): void {
    const state = this.#state;
    state.role = "pre-candidate";
    this.#granted.clear();
    this.#granted.add(state.self);
    if (state.voters.isQuorum(this.granted)) return this.#campaign(false);
    return this.#request({ pre: true, transfer: false, term: state.term + 1 });
  }

  #campaign(transfer: boolean): void {
    const state = this.#state;
    state.promise(state.term + 1, state.self);
    state.role = "candidate";
    state.leader = undefined;
    this.#onDeposed();
    this.#granted.clear();
    this.#granted.add(state.self);
    if (state.voters.isQuorum(this.granted)) return this.#win();
    const { electionTimeoutMs } = state;
    this.#arm(electionTimeoutMs / 2, electionTimeoutMs);
    return this.#request({ pre: false, transfer, term: state.term });
  }

  #request(request: Pick<VoteRequest, "pre" | "transfer" | "term">): void {
    const state = this.#state;
    for (const node of state.others()) state.send(node, { type: "vote-request", ...request, ...state.end });
  }

  #win(): void {
    const state = this.#state;
    state.role = "leader";
    state.leader = state.self;
    state.setTimer("election", state.electionTimeoutMs);
    this.#onElected();
  }

  #arm(minMs: number, spreadMs: number): void {
    this.#state.setTimer("election", Math.ceil(minMs) + this.#state.random.below(Math.ceil(spreadMs) + 1));
  }
}
