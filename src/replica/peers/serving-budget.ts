import { type Clock, LIMITS, type NodeId } from "#base";

interface Account {
  bytes: number;
  atUs: number;
}

/**
 * What each peer may make this node read, sign and send by asking: a few bytes ask for megabytes. Who asks for more gets no answer, and asks again
 * later; an honest node that is behind stays below it. Source: Clement et al. 2009 (Aardvark), section 4.3: each peer its own share, so that one
 * cannot take what the others need.
 */
export class ServingBudget {
  readonly #clock: Clock;
  readonly #accounts = new Map<NodeId, Account>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the peer may be answered now. What the answer takes is to be `spent` when it is known. */
  allows(peer: NodeId): boolean {
    return this.#account(peer).bytes > 0;
  }

  /** Each answer counts as a least number of bytes: finding and signing it costs too. */
  spend(peer: NodeId, bytes: number): void {
    this.#account(peer).bytes -= Math.max(bytes, LIMITS.peerServedAnswerBytesMin);
  }

  #account(peer: NodeId): Account {
    const nowUs = this.#clock.nowUs();
    const account = this.#accounts.get(peer) ?? { bytes: LIMITS.peerServedBytesMax, atUs: nowUs };
    // A clock that was set back gives nothing, and takes nothing.
    const earned = (Math.max(0, nowUs - account.atUs) / 1_000_000) * LIMITS.peerServedBytesPerSecond;
    account.bytes = Math.min(LIMITS.peerServedBytesMax, account.bytes + earned);
    account.atUs = nowUs;
    this.#accounts.set(peer, account);
    return account;
  }
}
