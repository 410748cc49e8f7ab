import { AUDIT_BUGS } from "./audit.ts";
import type { PlantedBug } from "./bug.ts";
import { PBFT_BUGS } from "./pbft.ts";
import { RAFT_BUGS } from "./raft.ts";
import { REPLICA_BUGS } from "./replica.ts";
import { MEMBERSHIP_BUGS, STATE_BUGS } from "./state.ts";
import { STORAGE_BUGS } from "./storage.ts";
import { TENDERMINT_BUGS } from "./tendermint.ts";

/** Bugs in what every engine stands on. */
const NODE_BUGS: readonly PlantedBug[] = [
  {
    name: "acknowledged-before-durable",
    room: "storage",
    known: "etcd #14143",
    about: "the store says durable before it is",
    breaks: ["A4", "A5", "A1", "A7"],
    overrides: { acknowledgesEarly: true },
    kinds: ["cluster-restart", "crash"],
  },
  {
    name: "lost-disk-taken-for-new",
    room: "replica",
    known: "openraft FAQ, a wiped node under its old id",
    about: "a node that lost its memory votes as if it had none to lose",
    breaks: ["A5", "A1"],
    overrides: { forgetsGuard: true },
    kinds: ["restart-lost", "slow-links"],
  },
];

/** Every planted bug. Each overrides one rule, or as many as hide it from one another. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  ...PBFT_BUGS,
  ...TENDERMINT_BUGS,
  ...RAFT_BUGS,
  ...NODE_BUGS,
  ...REPLICA_BUGS,
  ...STORAGE_BUGS,
  ...MEMBERSHIP_BUGS,
  ...STATE_BUGS,
  ...AUDIT_BUGS,
];
