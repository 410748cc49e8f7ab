import { type FaultDefinition, type FaultParameters, type FaultRow, type Laboratory, rowOf } from "./fault.ts";

function clock<Key extends keyof FaultParameters>(row: FaultRow<Key>): FaultDefinition {
  return rowOf("clock", row);
}

/** Steps of a clock stay below the allowed skew, together too: beyond it the node counts among the faulty. */
const STEPS_MAX_US = 4_500_000;

function step(lab: Laboratory, node: number, stepMs: number): void {
  const { time } = lab.at(node);
  if (time !== undefined) time.skewUs = Math.max(-STEPS_MAX_US, Math.min(STEPS_MAX_US, time.skewUs + stepMs * 1_000));
}

/** Faults of clocks. Agreed time comes from blocks, so a clock can delay its node and no more. */
export const CLOCK_FAULTS: readonly FaultDefinition[] = [
  clock({
    kind: "clock-forward",
    about: "a clock is set forward, within the allowed skew",
    where: "one clock",
    must: "time only as agreed (C9)",
    parameters: ["atMs", "node", "stepMs"],
    draw: ({ random, atMs, node }) => ({ atMs, node, stepMs: random.between(10, 3_000) }),
    inject: (lab, { node, stepMs }) => step(lab, node, stepMs),
  }),
  clock({
    kind: "clock-back",
    about: "a clock is set back, within the allowed skew",
    where: "one clock",
    must: "agreed time never goes back (C9)",
    parameters: ["atMs", "node", "stepMs"],
    draw: ({ random, atMs, node }) => ({ atMs, node, stepMs: random.between(10, 3_000) }),
    inject: (lab, { node, stepMs }) => step(lab, node, -stepMs),
  }),
  clock({
    kind: "clock-drift",
    about: "a clock and its timers run fast or slow",
    where: "one clock",
    must: "timeouts of different lengths are tolerated (C9)",
    parameters: ["atMs", "node", "percent"],
    draw: ({ random, atMs, node }) => ({ atMs, node, percent: random.pick([-20, -10, -3, 3, 10, 25]) }),
    inject: (lab, { node, percent }) => lab.at(node).time?.drift(1 + percent / 100),
  }),
  clock({
    kind: "clock-jump",
    about: "a clock jumps beyond the allowed skew, forward or back",
    where: "one clock",
    must: "its node's proposals are refused and it is replaced; nobody's time moves (C9)",
    cost: "clock",
    parameters: ["atMs", "node", "stepMs", "forMs"],
    draw: ({ random, atMs, victim, forMs }) =>
      victim === undefined ? undefined : { atMs, node: victim, stepMs: random.pick([-1, 1]) * random.between(6_000, 90_000), forMs },
    inject: (lab, { node, stepMs, forMs }) => {
      const { time } = lab.at(node);
      if (time === undefined) return;
      time.skewUs += stepMs * 1_000;
      lab.later(forMs, () => {
        time.skewUs = 0;
      });
    },
  }),
];
