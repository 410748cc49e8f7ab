export { ACTORS, type ActorRow } from "./byzantine/actors.ts";
export { checkLie, type InterposedNode, Liar, type LiarPorts } from "./byzantine/liar.ts";
export {
  type CampaignFailure,
  type CampaignOptions,
  type CampaignProgress,
  type CampaignReport,
  runCampaign,
  runCampaigns,
} from "./campaign.ts";
export { type ClientHistory, checkClientHistory } from "./checkers/client-history.ts";
export { INVARIANTS, type Violation } from "./checkers/invariants.ts";
export { SimulatedCluster } from "./cluster.ts";
export type { RunEvent } from "./diagrams/events.ts";
export { toJsonLines } from "./diagrams/jsonl.ts";
export { toShiViz } from "./diagrams/shiviz.ts";
export { toSvg } from "./diagrams/svg.ts";
export { transcriptOf } from "./diagrams/transcript.ts";
export { inWindow, type TimeWindow } from "./diagrams/window.ts";
export { FAULT_CATALOGUE, FAULT_KINDS, type FaultDraw, type FaultKind, faultsOf, parseFaults } from "./faults/catalogue.ts";
export type { Fault, FaultDefinition } from "./faults/fault.ts";
export { type SceneDraw, sceneOf } from "./faults/scenes.ts";
export { FrameReader } from "./frame-reader.ts";
export { ed25519Keys, type KeyMill, type SimulatedKey, standInKeys } from "./keys.ts";
export { checkHistory } from "./linearizability/checker.ts";
export type { HistoryOperation, SequentialModel, Verdict } from "./linearizability/history.ts";
export { MARKS } from "./marks.ts";
export type { PlantedBug, PlantedRoom } from "./planted/bug.ts";
export { PLANTED_BUGS } from "./planted/planted.ts";
export { type PlantedFinding, type PlantedSearch, type SearchProgress, seekPlanted } from "./planted/search.ts";
export { type ReplayOptions, replayTranscript, shrinkFaults, type Transcript } from "./replay.ts";
export { runSchedule } from "./run.ts";
export type { RunOptions, RunResult } from "./run-result.ts";
export { type ScheduleSettings, SIMULATED_ENGINES } from "./schedule.ts";
export { Scheduler } from "./scheduler.ts";
export { runTwins, runTwinsScenario, TWINS_CLASSES_MAX, type TwinsOptions, type TwinsReport } from "./twins/campaign.ts";
export { countTwins } from "./twins/enumerate.ts";
export { formatScenario, parseScenario, TWINS_LIMITS, type TwinsScenario } from "./twins/scenario.ts";
