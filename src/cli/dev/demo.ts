import type { EngineName } from "#base";
import { type Capability, CapabilityBuilder, type CapabilityPattern, capabilityPreset } from "#state";

/** An institution vouches for its services: it is an issuer of attestations in genesis. */
export const INSTITUTIONS = ["meridian-bank", "harbor-exchange", "northgate-clearing"] as const;

/** The people of the demonstration, in genesis. */
export const OPERATOR = "operator";
/** Reads the log, changes nothing. */
export const AUDITOR = "auditor";

/** A service of the demonstration with what it is granted. */
export interface DemoService {
  readonly id: string;
  readonly institution: (typeof INSTITUTIONS)[number];
  readonly role: string;
  readonly grants: readonly CapabilityPattern[];
}

/** Five services that show every risk level, patterns of resources and limits. */
export const DEMO_SERVICES: readonly DemoService[] = [
  {
    id: "trading-service-001",
    institution: "meridian-bank",
    role: "trading",
    grants: [granted("compute-execute", ["orders/*"]), granted("memory-read", ["positions/*"])],
  },
  {
    id: "risk-service-001",
    institution: "meridian-bank",
    role: "risk",
    grants: [granted("memory-analyze", ["positions/*", "limits/*"])],
  },
  {
    id: "market-data-service-001",
    institution: "harbor-exchange",
    role: "market-data",
    grants: [granted("network-fetch", ["feeds/*"])],
  },
  {
    id: "settlement-service-001",
    institution: "northgate-clearing",
    role: "settlement",
    grants: [granted("memory-write", ["settlements/*"]), granted("network-send", ["instructions/*"])],
  },
  {
    id: "reporting-service-001",
    institution: "northgate-clearing",
    role: "reporting",
    grants: [granted("filesystem-read", ["reports/*"])],
  },
];

/** The request of the first decision: critical, so it is ordered by a quorum. */
export const FIRST_REQUEST: { readonly serviceId: string; readonly capability: Capability } = {
  serviceId: "trading-service-001",
  capability: CapabilityBuilder.compute("execute", { resources: ["orders/rebalance"] }),
};

/** Raft tolerates crashes only and decides nothing critical: there the first request reads. */
export function firstRequestOf(engine: EngineName): typeof FIRST_REQUEST {
  if (engine !== "raft") return FIRST_REQUEST;
  return { ...FIRST_REQUEST, capability: CapabilityBuilder.memory("read", { resources: ["positions/today"] }) };
}

function granted(preset: string, resources: readonly string[]): CapabilityPattern {
  const capability = capabilityPreset(preset, { resources });
  if (capability === undefined) throw new TypeError(`there is no preset ${preset}`);
  return { ...capability, temporal: [capability.temporal] };
}
