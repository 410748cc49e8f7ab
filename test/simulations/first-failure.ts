import { type CampaignFailure, type PlantedBug, replayTranscript, runCampaign } from "#simulations";

/** Seeds within which a planted bug has to show. */
const SEEDS = { from: 1, to: 1_000 };

/** The first schedule that a planted bug breaks, and how many were run. */
export interface Found {
  readonly failure: CampaignFailure | undefined;
  readonly schedules: number;
}

/** Seeks a planted bug. */
export async function firstFailure({ name }: PlantedBug): Promise<Found> {
  const { failures, schedules } = await runCampaign({ engine: "pbft", nodes: 4, seeds: SEEDS, planted: name, workers: 2 });
  return { failure: failures[0], schedules };
}

/** What breaks in a schedule when the bug is not planted: nothing, or it was not the bug that was found. */
export async function breaksWithout(bug: PlantedBug, { seed, faults }: CampaignFailure): Promise<readonly string[]> {
  const { engine = "pbft", nodes = 4, weights, overrides } = bug;
  const { window } = overrides;
  const cluster = { seed, engine, nodes, ...(weights && { weights }), ...(window !== undefined && { window }) };
  const { result } = await replayTranscript({ ...cluster, faults });
  return result.violations.map(({ invariant, detail }) => `${invariant}: ${detail}`);
}
