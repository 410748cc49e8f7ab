export { type CampaignFailure, type CampaignOptions, type CampaignProgress, type CampaignReport, runCampaign } from "./campaign.ts";
export type { Violation } from "./checkers/invariants.ts";
export { byzantineNodes, FAULT_KINDS, type Fault, type FaultKind, faultsOf } from "./faults.ts";
export { ed25519Keys, type KeyMill, type SimulatedKey, standInKeys } from "./keys.ts";
export { PLANTED_BUGS, type PlantedBug } from "./planted/planted.ts";
export { parseFaults, type ReplayOptions, replayTranscript, shrinkFaults, type Transcript } from "./replay.ts";
export { type RunOptions, type RunResult, runSchedule } from "./run.ts";
export type { ScheduleSettings } from "./schedule.ts";
