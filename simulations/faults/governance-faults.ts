import { parseNodeId, totalWeight } from "#base";
import { type FaultDefinition, type FaultParameters, type FaultRow, type Laboratory, rowOf } from "./fault.ts";

function governance<Key extends keyof FaultParameters>(row: FaultRow<Key>): FaultDefinition {
  return rowOf("client", row);
}

/** Between two steps of an operator who waits for the answer of the one before. */
const STEP_MS = 600;
/** Up to so many nodes every membership declares that it bears no fault, and weighs its members as it likes. */
const FAULTLESS_MAX = 3;

/** What careless operators send: changes of members that must be refused. */
export const GOVERNANCE_FAULTS: readonly FaultDefinition[] = [
  governance({
    kind: "overweight",
    about: "the operator gives one member more weight than all the others have",
    where: "the gateway of a node",
    must: "refused: no member may be able to stop the others alone (C15, A2)",
    parameters: ["atMs", "node"],
    draw: ({ nodes, atMs, node }) => (nodes > FAULTLESS_MAX ? { atMs, node } : undefined),
    inject: (lab, fault) => {
      const membership = lab.cluster.newestMembership();
      if (membership === undefined) return;
      const reweight = [{ id: lab.id(fault.node), weight: totalWeight(membership) }];
      submit(lab, fault.node, (frame) => ({ ...frame, kind: "membership.change", add: [], remove: [], reweight }));
    },
  }),
  governance({
    kind: "hasty-changes",
    about: "the operator changes the members again before the first change is active",
    where: "the gateways of two nodes",
    must: "one change at a time: the second is refused (C15, A2)",
    parameters: ["atMs", "node", "delayMs"],
    draw: ({ random, atMs, node }) => ({ atMs, node, delayMs: random.pick([0, 0, 5, 20]) }),
    inject: (lab, fault) => {
      for (const turn of [0, 1])
        lab.later(turn * fault.delayMs, () => {
          const signed = lab.clients.reweight(turn + 2);
          if (signed !== undefined) lab.clients.submit(lab.id(fault.node + turn), signed);
        });
    },
  }),
  governance({
    kind: "learner-again",
    about: "the operator admits a learner, removes it, and admits another node under its id",
    where: "the gateway of a node",
    must: "an id is given once and for ever (C15, A2)",
    parameters: ["atMs", "node"],
    draw: ({ atMs, node }) => ({ atMs, node }),
    inject: (lab, fault) => {
      const id = parseNodeId(`learner-${fault.node}-${Math.round(fault.atMs)}`);
      const admit = (turn: number): void =>
        submit(lab, fault.node, (frame) => ({ ...frame, kind: "learner.add", nodeFile: lab.clients.nodeFile(id, turn) }));
      admit(0);
      lab.later(STEP_MS, () => submit(lab, fault.node, (frame) => ({ ...frame, kind: "learner.remove", id })));
      lab.later(2 * STEP_MS, () => admit(1));
    },
  }),
];

function submit(lab: Laboratory, node: number, make: Parameters<Laboratory["clients"]["govern"]>[0]): void {
  const signed = lab.clients.govern(make);
  if (signed !== undefined) lab.clients.submit(lab.id(node), signed);
}
