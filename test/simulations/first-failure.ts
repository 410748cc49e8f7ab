import { runCampaign } from "#simulations";

/** Most bugs show within the first few seeds, so the search begins small. */
const SEARCHED = [
  { from: 1, to: 8 },
  { from: 9, to: 24 },
  { from: 25, to: 100 },
  { from: 101, to: 300 },
] as const;

/** The first schedule in which a planted bug breaks one of the invariants; undefined when none of 300 does. */
export async function firstFailure(
  planted: string,
  breaks: readonly string[],
): Promise<{ seed: number; invariant: string; faults: unknown } | undefined> {
  for (const seeds of SEARCHED) {
    const report = await runCampaign({ engine: "pbft", nodes: 4, seeds, planted, workers: 2 });
    const failure = report.failures.find(({ invariant }) => breaks.includes(invariant));
    if (failure !== undefined) return failure;
  }
  return undefined;
}
