/** Rare branches that the default campaign has to reach, each with what it means that it was reached. */
export const MARKS: Readonly<Record<string, string>> = {
  "decided-in-later-view": "a height was decided after its first leader was given up",
  "epoch-ended-in-later-view": "the last height of an epoch was decided after its first leader was given up",
  "end-waits-for-new-majority": "a majority of the old members held the last height of an epoch, and it waited for one of the new",
  "member-left": "a member was removed, and the others drained without it",
  "member-joined": "a node that genesis does not name became a member, and drained with the others",
  "newcomer-took-state": "a node that joined took over a state, where the others had pruned the blocks",
  "handed-over": "a raft leader that was stopped told another one to lead",
  "view-change": "a node asked for another leader",
  "view-change-with-prepared-certificate": "a node asked for another leader and proved what may have been decided",
  "new-view": "a new leader proved that it may begin",
  "new-view-that-demands": "a new leader was bound to a value of before",
  "re-proposal": "a value of an earlier view, or round of Tendermint, was proposed again, with its bytes unchanged",
  "fetch-proposal": "a body was asked for by its digest",
  "proposal-body": "a body was served by its digest",
  "sent-block": "a node was told of a height that others had decided",
  "sync-response": "a node that was behind was served blocks",
  "state-installed": "a node that was behind took over a state, where the others had pruned the blocks",
  "heartbeat-block": "an idle leader kept agreed time going",
  "full-turn": "one block held commands of several issuers",
  evidence: "a double vote or proposal was proved",
  "certificate-hidden": "a view change was proved to hide what its sender had committed",
  "two-view-changes": "two view changes of one node for one height and view were proved",
  "two-new-views": "two new-views of one leader for one height and view were proved",
  "evidence-recorded": "the ledger recorded evidence",
  "evidence-known": "a second report of evidence was refused",
  "evidence-refused": "an accusation that proves nothing was put on record against who made it",
  "rejoin-by-floor": "a node without memory was given a height below which it must not vote",
  "participates-above-floor": "a node without memory took part again",
  "reminded-of-vote": "a peer reminded a node of a vote of its own",
  "refused-frame": "bytes of a peer did not read",
  "refused-command": "a relayed command was not taken",
  "command-duplicate": "the same bytes were ordered twice and answered once",
  "command-replayed": "an id was used for other bytes, and refused at its place",
  "command-expired": "a command was ordered too late, or too early, and refused by agreed time",
  "answered-allowed": "a client was allowed what it asked",
  "answered-denied": "a client was denied what it asked",
  "answered-rejected": "a client's bytes were refused before ordering",
  "answered-unavailable": "a client was told that the outcome is unknown",
  "disk-failed": "a node stopped because its disk refused a write",
  "disk-corrupt": "a node stopped because its disk gave other bytes than were written",
  "restarted-in-view-change": "a node came back in the middle of a view change",
  "restarted-with-proposal": "a node came back with a proposal that it had accepted",
  "core-drained-alone": "a quorum drained while the other honest nodes were away",
  "read-answered": "a read of the newest state was confirmed, and answered without being ordered",
  "history-in-order": "what clients asked and heard was put into one order that explains it",
  "receipt-verified": "a receipt passed the offline verifier",
};

/** Counts how often rare branches ran. Seen from outside: messages, events, counters and logs; no core is changed for it. */
export class Coverage {
  readonly #counts = new Map<string, number>();

  /** This ran, this time. */
  sometimes(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
