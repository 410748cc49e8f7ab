import { type Clock, LIMITS, type NodeId } from "#base";

interface Account {
  left: number;
  atUs: number;
}

/** So much at once and so much in a second from then on; each time counts as `leastSpent` at least. */
export interface PeerShare {
  readonly atOnce: number;
  readonly perSecond: number;
  readonly leastSpent: number;
}

/** What each peer may make this node read, sign and send by asking, in bytes: a few bytes ask for megabytes. Each answer counts: finding and signing it costs too. */
export const SERVED_SHARE: PeerShare = {
  atOnce: LIMITS.peerServedBytesMax,
  perSecond: LIMITS.peerServedBytesPerSecond,
  leastSpent: LIMITS.peerServedAnswerBytesMin,
};

/** In how many commands that nobody signed each peer may make this node look for a signature: to look takes longer than to forge. */
export const FORGED_SHARE: PeerShare = { atOnce: LIMITS.peerForgedMax, perSecond: LIMITS.peerForgedPerSecond, leastSpent: 1 };

/**
 * The share of each peer in what one of them must not take from the others. Who asks for more gets no answer, and asks again
 * later; an honest node that is behind stays below it. Source: Clement et al. 2009 (Aardvark), section 4.3.
 */
export class ServingBudget {
  readonly #clock: Clock;
  readonly #share: PeerShare;
  readonly #accounts = new Map<NodeId, Account>();

  constructor(clock: Clock, share: PeerShare = SERVED_SHARE) {
    this.#clock = clock;
    this.#share = share;
  }

  /** Whether the peer has something left. What an answer takes is to be `spent` when it is known. */
  allows(peer: NodeId): boolean {
    return this.#account(peer).left > 0;
  }

  spend(peer: NodeId, amount: number): void {
    this.#account(peer).left -= Math.max(amount, this.#share.leastSpent);
  }

  #account(peer: NodeId): Account {
    const nowUs = this.#clock.nowUs();
    const { atOnce, perSecond } = this.#share;
    const account = this.#accounts.get(peer) ?? { left: atOnce, atUs: nowUs };
    // A clock that was set back gives nothing, and takes nothing.
    const earned = (Math.max(0, nowUs - account.atUs) / 1_000_000) * perSecond;
    account.left = Math.min(atOnce, account.left + earned);
    account.atUs = nowUs;
    this.#accounts.set(peer, account);
    return account;
  }
}
