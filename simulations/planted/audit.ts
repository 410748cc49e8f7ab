import { type AuditRules, auditRules } from "#audit";
import { type ReplicaRules, replicaRules } from "#replica";
import type { PlantedBug } from "./bug.ts";

type About = Omit<PlantedBug, "room" | "overrides">;

function inLog(about: About, override: Partial<AuditRules>): PlantedBug {
  return { ...about, room: "audit", overrides: { rules: { audit: { ...auditRules, ...override } } } };
}

function inCertifier(about: About, override: Partial<ReplicaRules>): PlantedBug {
  return { ...about, room: "audit", overrides: { rules: { replica: { ...replicaRules, ...override } } } };
}

/** Bugs in the log and in what certifies it. */
export const AUDIT_BUGS: readonly PlantedBug[] = [
  inLog(
    {
      name: "leaf-without-domain-byte",
      known: "RFC 9162, 2.1.1: without it an inner node passes for an entry",
      about: "the leaf of an entry is its plain hash",
      breaks: ["A3", "L1"],
      kinds: ["crash"],
    },
    { leafOf: (hasher, bytes) => hasher.sha256(bytes) },
  ),
  inLog(
    { name: "chain-not-linked", about: "an entry does not name the one before it", breaks: ["L1", "A3"], kinds: ["loss"] },
    { chainsTo: (previous) => `${previous.slice(0, -1)}${previous.endsWith("0") ? "1" : "0"}` as typeof previous },
  ),
  inLog(
    {
      name: "checkpoint-of-another-size",
      about: "a checkpoint states one entry more than its tree has",
      breaks: ["A3", "L1", "S1"],
      kinds: ["loss"],
    },
    { sizeOf: (leaves) => leaves + 1 },
  ),
  inCertifier(
    {
      name: "cosigned-before-durable",
      known: "openraft io_ordering",
      about: "a height is cosigned before it is on disk",
      breaks: ["A4"],
      kinds: ["slow-disk", "crash"],
    },
    { cosignsWrittenOnly: false },
  ),
  inCertifier(
    {
      name: "certified-by-a-third",
      known: "malachite #1036",
      about: "a third of the weight certifies a checkpoint",
      breaks: ["A3", "S1"],
      kinds: ["loss", "partition"],
    },
    { certifies: (weight, total) => 3 * weight > total },
  ),
  inCertifier(
    {
      name: "cosignatures-not-verified",
      known: "malachite #1036",
      about: "a cosignature counts before its signatures are checked",
      breaks: ["A3", "S1"],
      kinds: ["forge", "loss"],
    },
    { verifiesCosignatures: false },
  ),
];
