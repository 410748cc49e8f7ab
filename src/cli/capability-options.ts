import type { Command } from "commander";
import { AUDIT_LEVELS, CAPABILITY_PRESETS, type Capability, type Constraints, capabilityPreset, RISK_LEVELS, SCOPES } from "#state";
import { gather } from "./command.ts";
import { UsageError } from "./failure.ts";

/** Options that describe a capability, of a request or of a grant. */
export interface CapabilityOptions {
  readonly capability: string;
  readonly scope?: string;
  readonly temporal?: string;
  readonly risk?: string;
  readonly resource?: readonly string[];
  readonly dataVolume?: string;
  readonly rateLimit?: string;
  readonly userConsent?: boolean;
  readonly auditLevel?: string;
}

/** Adds the options; scope, temporal pattern and risk follow from the common presets where they are not given. */
export function addCapabilityOptions(command: Command): Command {
  return command
    .requiredOption("--capability <domain:operation>", "such as compute:execute")
    .option("--scope <scope>", `${SCOPES.join(", ")} (default: that of the preset, where there is one)`)
    .option("--temporal <pattern>", "such as immediate, batch, continuous")
    .option("--risk <level>", `${RISK_LEVELS.join(", ")} (default: as for --scope)`)
    .option("--resource <name>", "may be given several times; in a grant it may end in *", gather)
    .option("--data-volume <size>", "such as 10GB")
    .option("--rate-limit <rate>", "such as 1000/sec")
    .option("--user-consent", "the user has consented; in a grant: consent is needed")
    .option("--audit-level <level>", AUDIT_LEVELS.join(", "));
}

/** The capability that the options describe. @throws {UsageError} */
export function readCapabilityOptions(options: CapabilityOptions): Capability {
  const [domain = "", operation = "", ...rest] = options.capability.split(":");
  if (domain === "" || operation === "" || rest.length > 0)
    throw new UsageError("--capability is domain:operation, such as compute:execute");
  const preset = presetOf(domain, operation);
  if (preset === undefined && (options.scope === undefined || options.risk === undefined))
    throw new UsageError(
      `${options.capability} has no preset: give --scope (${SCOPES.join(", ")}) and --risk (${RISK_LEVELS.join(", ")}); presets are ${presetNames()}`,
    );
  const scope = chosen(options.scope ?? preset?.scope, { allowed: SCOPES, name: "--scope" });
  const riskLevel = chosen(options.risk ?? preset?.riskLevel, { allowed: RISK_LEVELS, name: "--risk" });
  const constraints = readConstraints(options);
  return {
    domain,
    operation,
    scope,
    temporal: options.temporal ?? preset?.temporal ?? "immediate",
    riskLevel,
    resources: options.resource ?? [],
    ...(Object.keys(constraints).length === 0 ? {} : { constraints }),
  };
}

/** Reads `name=value` pairs. @throws {UsageError} */
export function readPairs(pairs: readonly string[] | undefined, name: string): Record<string, string> {
  return Object.fromEntries(
    (pairs ?? []).map((pair): [string, string] => {
      const at = pair.indexOf("=");
      if (at < 1) throw new UsageError(`${name} is name=value`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function presetOf(domain: string, operation: string): Capability | undefined {
  return presets().find((preset) => preset.domain === domain && preset.operation === operation);
}

function presets(): readonly Capability[] {
  return CAPABILITY_PRESETS.flatMap((name) => capabilityPreset(name) ?? []);
}

/** What can be asked without `--scope` and `--risk`. */
function presetNames(): string {
  return [...new Set(presets().map(({ domain, operation }) => `${domain}:${operation}`))].sort().join(", ");
}

function readConstraints({ dataVolume, rateLimit, userConsent, auditLevel }: CapabilityOptions): Constraints {
  return {
    ...(dataVolume === undefined ? {} : { dataVolume }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(userConsent === undefined ? {} : { userConsent }),
    ...(auditLevel === undefined ? {} : { auditLevel: chosen(auditLevel, { allowed: AUDIT_LEVELS, name: "--audit-level" }) }),
  };
}

function chosen<T extends string>(
  text: string | undefined,
  { allowed, name }: { readonly allowed: readonly T[]; readonly name: string },
): T {
  const found = allowed.find((word) => word === text);
  if (found === undefined) throw new UsageError(`${name} is one of ${allowed.join(", ")}`);
  return found;
}
