export type { Violation } from "./checkers/invariants.ts";
export { byzantineNodes, FAULT_KINDS, type Fault, type FaultKind, faultsOf } from "./faults.ts";
export { type KeyMill, type SimulatedKey, standInKeys } from "./keys.ts";
export { PLANTED_BUGS, type PlantedBug } from "./planted/planted.ts";
export { type RunOptions, type RunResult, runSchedule } from "./run.ts";
