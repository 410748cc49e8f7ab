import { faultModelOf, type JsonValue, parseGenesis, tolerableWeight, totalWeight } from "#base";
import { readGenesisBytes } from "./create.ts";
import type { DevFolder } from "./folder.ts";

/** What whoever lets a node of this cluster lie has to know; undefined where the cluster tolerates one liar, or nobody is told to lie. */
export function lieWarning({ folder }: DevFolder, kind: JsonValue | undefined): string | undefined {
  if (kind === "honest") return undefined;
  const { engine, membership } = parseGenesis(readGenesisBytes(folder));
  if (faultModelOf(engine) === "crash")
    return `${engine} tolerates crashes only: with a liar among the nodes nothing that this cluster decides can be relied on, and no evidence is found; pbft and tendermint tolerate one`;
  const total = totalWeight(membership);
  if (tolerableWeight(total, "byzantine") > 0) return undefined;
  return `${membership.members.length} nodes tolerate no liar: with one among them they may stop, and nothing that they decide can be relied on; four nodes tolerate one`;
}
