import { ACTORS } from "../byzantine/actors.ts";
import { type FaultDefinition, rowOf } from "./fault.ts";

/** Byzantine nodes, from the beginning of a schedule to its end. */
export const BYZANTINE_FAULTS: readonly FaultDefinition[] = ACTORS.map(({ kind, about, must }) =>
  rowOf("byzantine", {
    kind,
    about,
    must,
    where: "what one node sends or hears",
    cost: "voice",
    parameters: ["node"],
    draw: ({ victim }) => (victim === undefined ? undefined : { node: victim }),
    inject: (lab, fault) => lab.corrupt(kind, fault),
  }),
);
