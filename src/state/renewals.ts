import type { ErrorCode, Member } from "#base";
import type { Renewal } from "./governance.ts";
import type { LedgerStore } from "./ledger-store.ts";
import { withWeight } from "./nodes.ts";

/** Roles whose keys can be renewed: those that sign checkpoints, and nothing else. */
const RENEWED = ["log", "witness"] as const;

/**
 * The member as its renewal makes it, or why it is refused (docs/protocols/membership.md, L9). Id and weight stay. So do the vote and gateway keys, which sign the renewal, and the
 * TLS key: a node that is behind knows its peers by that key alone, and would lock the renewed ones out.
 */
export function renewedMember(
  store: Pick<LedgerStore, "genesis" | "isKeyUsed">,
  present: Member | undefined,
  { node }: Renewal,
): Member | ErrorCode {
  if (present === undefined) return "MEMBERSHIP_NODE_UNKNOWN";
  const renewed = withWeight(node.member, present.weight);
  const { keys, tlsAuthority } = renewed;
  const isSameNode =
    node.trustDomain === store.genesis.trustDomain &&
    keys.vote === present.keys.vote &&
    keys.gateway === present.keys.gateway &&
    keys.tls === present.keys.tls &&
    tlsAuthority === present.tlsAuthority;
  if (!isSameNode || isUnchanged(present, renewed)) return "MEMBERSHIP_INVALID";
  const isReused = RENEWED.some((role) => keys[role] !== present.keys[role] && store.isKeyUsed(keys[role]));
  return isReused ? "IDENTITY_KEY_REUSED" : renewed;
}

function isUnchanged(present: Member, renewed: Member): boolean {
  const isSameAddress = present.peerAddress === renewed.peerAddress && present.httpUrl === renewed.httpUrl;
  return isSameAddress && RENEWED.every((role) => present.keys[role] === renewed.keys[role]);
}
