import type { CommitCertificate } from "./block.ts";
import type { ConsensusMessage } from "./messages.ts";
import { decisionOf } from "./tendermint/disclosure.ts";

const NONE: readonly CommitCertificate[] = [];

/** The commit certificates that a message of a peer shows, as it says; nothing about them is checked. */
export function certificatesIn(message: ConsensusMessage): readonly CommitCertificate[] {
  switch (message.type) {
    case "block":
    case "height-reply":
      return message.certificate === undefined ? NONE : [message.certificate];
    case "view-change":
      return message.tip === undefined ? NONE : [message.tip];
    case "new-view":
      return message.viewChanges.flatMap(({ tip }) => tip ?? []);
    case "round-certificate": {
      const decision = decisionOf(message);
      return decision === undefined ? NONE : [decision];
    }
    default:
      return NONE;
  }
}
