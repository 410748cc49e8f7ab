import { QuorumgateError } from "#base";
import type { Capability, Constraints } from "./capability.ts";
import type { RiskLevel, Scope } from "./vocabulary.ts";

/** One preset: domain, operation, scope, temporal pattern, risk level. */
type PresetRow = readonly [domain: string, operation: string, scope: Scope, temporal: string, riskLevel: RiskLevel];

/** The families of presets with their actions. */
export interface PresetActions {
  readonly memory: "read" | "write" | "delete" | "analyze";
  readonly filesystem: "read" | "write" | "delete" | "monitor";
  readonly network: "fetch" | "send" | "listen" | "monitor" | "configure";
  readonly compute: "execute" | "analyze" | "monitor";
  readonly ai: "generate" | "analyze" | "train";
  readonly device: "read" | "monitor" | "configure";
  readonly subprocess: "run" | "monitor";
}

type PresetTable = { readonly [Family in keyof PresetActions]: Readonly<Record<PresetActions[Family], PresetRow>> };

/** Common capabilities by family and action. The name of a preset is `<family>-<action>`, such as `memory-write`. */
const PRESETS: PresetTable = {
  memory: {
    read: ["data", "read", "application", "immediate", "elevated"],
    write: ["data", "write", "application", "immediate", "elevated"],
    delete: ["data", "delete", "application", "immediate", "dangerous"],
    analyze: ["data", "analyze", "application", "batch", "elevated"],
  },
  filesystem: {
    read: ["storage", "read", "user", "immediate", "elevated"],
    write: ["storage", "write", "user", "immediate", "elevated"],
    delete: ["storage", "delete", "user", "immediate", "dangerous"],
    monitor: ["storage", "monitor", "user", "continuous", "safe"],
  },
  network: {
    fetch: ["network", "fetch", "application", "immediate", "elevated"],
    send: ["network", "send", "application", "immediate", "elevated"],
    listen: ["network", "listen", "application", "continuous", "dangerous"],
    monitor: ["network", "monitor", "application", "continuous", "safe"],
    configure: ["network", "configure", "system", "immediate", "critical"],
  },
  compute: {
    execute: ["compute", "execute", "system", "immediate", "critical"],
    analyze: ["compute", "analyze", "application", "batch", "elevated"],
    monitor: ["compute", "monitor", "application", "continuous", "safe"],
  },
  ai: {
    generate: ["compute", "generate", "application", "immediate", "elevated"],
    analyze: ["compute", "analyze", "application", "immediate", "elevated"],
    train: ["compute", "train", "system", "batch", "dangerous"],
  },
  device: {
    read: ["device", "read", "user", "immediate", "elevated"],
    monitor: ["device", "monitor", "user", "continuous", "elevated"],
    configure: ["device", "configure", "system", "immediate", "dangerous"],
  },
  subprocess: {
    run: ["system", "run", "system", "immediate", "critical"],
    monitor: ["system", "monitor", "system", "continuous", "elevated"],
  },
};

/** What a preset leaves open. Domain and operation stay the preset's. */
export interface PresetOptions extends Partial<Pick<Capability, "scope" | "temporal" | "riskLevel" | "resources">> {
  readonly constraints?: Constraints;
}

/** Names of all presets, sorted. */
export const CAPABILITY_PRESETS: readonly string[] = Object.entries(PRESETS)
  .flatMap(([family, actions]) => Object.keys(actions).map((action) => `${family}-${action}`))
  .sort();

/** The capability of a preset's name, such as `memory-write` or `subprocess-run`; undefined for other names. */
export function capabilityPreset(name: string, options: PresetOptions = {}): Capability | undefined {
  const dash = name.indexOf("-");
  const families: Readonly<Record<string, Readonly<Record<string, PresetRow>>>> = PRESETS;
  const actions = Object.hasOwn(families, name.slice(0, dash)) ? families[name.slice(0, dash)] : undefined;
  const action = name.slice(dash + 1);
  const row = actions !== undefined && Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (row === undefined) return undefined;
  const [domain, operation, scope, temporal, riskLevel] = row;
  return { domain, operation, scope, temporal, riskLevel, resources: [], ...options };
}

/** One maker of capabilities per family. */
export type CapabilityMakers = {
  readonly [Family in keyof PresetActions]: (action: PresetActions[Family], options?: PresetOptions) => Capability;
};

/** Makes capabilities of common kinds: `CapabilityBuilder.memory("read", { resources: ["positions"] })`. */
export const CapabilityBuilder: CapabilityMakers = {
  memory: (action, options) => preset("memory", action, options),
  filesystem: (action, options) => preset("filesystem", action, options),
  network: (action, options) => preset("network", action, options),
  compute: (action, options) => preset("compute", action, options),
  ai: (action, options) => preset("ai", action, options),
  device: (action, options) => preset("device", action, options),
  subprocess: (action, options) => preset("subprocess", action, options),
};

function preset(family: string, action: string, options?: PresetOptions): Capability {
  const found = capabilityPreset(`${family}-${action}`, options);
  if (found === undefined) throw new QuorumgateError("FORMAT_SHAPE_INVALID", `${family} has no such preset`);
  return found;
}
