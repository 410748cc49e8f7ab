import type { Parts } from "../assembly.ts";
import type { ReplicaOptions } from "../types.ts";

/** A leader that stops looks so often, in milliseconds, whether another one leads, and so many times: a round trip or two should do. */
const LOOK_MS = 20;
const LOOKS = 20;

/** Has another member lead before a Raft leader stops, so that nobody waits for an election timeout (docs/protocols/raft.md, rule T1); not for long. */
export function handOver(options: ReplicaOptions, parts: Parts, node: { isRunning(): boolean }, then: () => void): void {
  const { driver, ledger, peers } = parts;
  const leads = (): boolean => node.isRunning() && driver.snapshot().leader === options.self;
  if (ledger.genesis.engine !== "raft" || !leads() || peers.connected().length === 0) return then();
  const look = (looks: number): void => {
    if (looks === 0 || !leads()) return then();
    options.timers.after(LOOK_MS, () => look(looks - 1));
  };
  driver.step({ type: "transfer" });
  return look(LOOKS);
}
