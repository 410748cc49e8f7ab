import type { Command } from "commander";
import { UsageError } from "../failure.ts";

/** What `simulate` does: many schedules, one again, nodes that run twice (all scenarios or one), or short runs with mutations. */
export type SimulateMode = "campaign" | "replay" | "twins" | "scenario" | "mutations";

/** How a mode is chosen. */
const CHOSEN_BY: Readonly<Record<SimulateMode, string>> = {
  campaign: "schedules of drawn faults (without --replay, --twins and --mutations)",
  replay: "--replay FILE",
  twins: "--twins without a file",
  scenario: "--twins FILE",
  mutations: "--mutations",
};

/** Options that a mode reads, besides `--json`. */
const READ_BY: Readonly<Record<SimulateMode, readonly string[]>> = {
  campaign: ["engine", "nodes", "seeds", "faults", "real-crypto", "planted", "workers"],
  replay: ["replay", "engine", "nodes", "real-crypto", "planted", "shrink", "format", "from", "to", "out"],
  twins: ["twins", "engine", "nodes", "seeds", "planted", "workers", "twin-nodes", "rounds", "parts", "window", "deaf", "every-name"],
  scenario: ["twins", "planted"],
  mutations: ["mutations", "engine", "seeds", "planted", "workers"],
};
const MODES = Object.keys(READ_BY) as readonly SimulateMode[];

/**
 * The mode that the options choose.
 * An option that its mode does not read is refused: a run with other settings than its caller believes would prove something else.
 *
 * @throws {UsageError}
 */
export function simulateMode(command: Command): SimulateMode {
  const { replay, twins, mutations } = command.opts<{ replay?: string; twins?: string | true; mutations?: string }>();
  const mode: SimulateMode =
    replay !== undefined
      ? "replay"
      : mutations !== undefined
        ? "mutations"
        : twins === undefined
          ? "campaign"
          : twins === true
            ? "twins"
            : "scenario";
  for (const option of command.options) {
    const isGiven = command.getOptionValueSource(option.attributeName()) === "cli";
    const name = option.name();
    if (isGiven && name !== "json" && !READ_BY[mode].includes(name)) throw new UsageError(misplaced(name, mode));
  }
  return mode;
}

function misplaced(name: string, mode: SimulateMode): string {
  const places = MODES.filter((other) => READ_BY[other].includes(name)).map((other) => CHOSEN_BY[other]);
  return `--${name} goes with ${places.join(" or ")}, not with ${CHOSEN_BY[mode]}`;
}
