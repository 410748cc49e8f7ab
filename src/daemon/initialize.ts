import { silentTelemetry } from "#base";
import { initializeNodeData as initialize } from "#gateway";

/**
 * Prepares the data folder and the vote guard's anchor of a NEW node. Called once, by what creates the node, and never at a start: a node whose
 * folder is gone rejoins by the vote guard's rule.
 */
export function initializeNodeData(paths: { readonly data: string; readonly anchor: string }): Promise<void> {
  return initialize(paths, silentTelemetry);
}
