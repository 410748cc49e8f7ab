import { type NodeId, SeededRandom } from "#base";

/** One fault as a value: a schedule is its list, which can be read, shrunk and replayed. Times in milliseconds of virtual time. */
export type Fault =
  | { readonly kind: "crash"; readonly atMs: number; readonly node: number; readonly downMs: number }
  | { readonly kind: "lost-disk"; readonly atMs: number; readonly node: number; readonly downMs: number }
  | { readonly kind: "old-copy"; readonly atMs: number; readonly node: number; readonly downMs: number; readonly copyAtMs: number }
  | { readonly kind: "pause"; readonly atMs: number; readonly node: number; readonly forMs: number }
  | { readonly kind: "partition"; readonly atMs: number; readonly side: readonly number[]; readonly forMs: number }
  | { readonly kind: "one-way"; readonly atMs: number; readonly from: number; readonly to: number; readonly forMs: number }
  | { readonly kind: "loss"; readonly atMs: number; readonly chance: number; readonly forMs: number }
  | { readonly kind: "duplication"; readonly atMs: number; readonly chance: number; readonly forMs: number }
  | { readonly kind: "slow-links"; readonly atMs: number; readonly delayMs: number; readonly forMs: number }
  | { readonly kind: "slow-disk"; readonly atMs: number; readonly node: number; readonly syncMs: number }
  | { readonly kind: "disk-full"; readonly atMs: number; readonly node: number; readonly downMs: number }
  | { readonly kind: "clock-step"; readonly atMs: number; readonly node: number; readonly stepMs: number }
  | { readonly kind: "cluster-restart"; readonly atMs: number; readonly downMs: number }
  /** All restart at once, and one of them finds its disk gone. */
  | { readonly kind: "restart-lost"; readonly atMs: number; readonly node: number; readonly downMs: number }
  /** Votes are lost so that one node alone decides, after another alone prepared something else if it is named. */
  | { readonly kind: "targeted-loss"; readonly atMs: number; readonly decides: number; readonly prepares?: number; readonly forMs: number }
  | { readonly kind: "silent"; readonly node: number }
  | { readonly kind: "equivocate"; readonly node: number }
  | { readonly kind: "forge"; readonly node: number };

/** Kinds of faults, for `--faults` and for the counts. */
export const FAULT_KINDS = [
  "crash",
  "lost-disk",
  "old-copy",
  "pause",
  "partition",
  "one-way",
  "loss",
  "duplication",
  "slow-links",
  "slow-disk",
  "disk-full",
  "clock-step",
  "cluster-restart",
  "restart-lost",
  "targeted-loss",
  "silent",
  "equivocate",
  "forge",
] as const;

/** See FAULT_KINDS. */
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Length of the safety phase. */
export const SAFETY_MS = 12_000;

/**
 * A schedule's faults out of its seed. At most the tolerable number of nodes is Byzantine, lost its disk or got an old copy: those spend
 * the same budget, since a node without memory may contradict itself.
 */
export function faultsOf(options: { readonly seed: number; readonly nodes: number; readonly kinds: readonly FaultKind[] }): Fault[] {
  const random = new SeededRandom(options.seed, "faults");
  const tolerable = Math.floor((options.nodes - 1) / 3);
  const victims = random.shuffle(Array.from({ length: options.nodes }, (_, index) => index)).slice(0, tolerable);
  const faults: Fault[] = [];
  const count = random.between(0, 6);
  for (let i = 0; i < count; i++) {
    const fault = makeFault(random, { kind: random.pick(options.kinds), nodes: options.nodes, victims });
    if (fault !== undefined) faults.push(fault);
  }
  return faults;
}

function makeFault(random: SeededRandom, about: { kind: FaultKind; nodes: number; victims: readonly number[] }): Fault | undefined {
  const { kind, nodes, victims } = about;
  const atMs = random.between(500, SAFETY_MS - 2_000);
  const node = random.below(nodes);
  const victim = victims.length === 0 ? undefined : random.pick(victims);
  const forMs = random.between(200, 5_000);
  switch (kind) {
    case "crash":
    case "disk-full":
      return { kind, atMs, node, downMs: random.between(50, 4_000) };
    case "lost-disk":
      return victim === undefined ? undefined : { kind, atMs, node: victim, downMs: random.between(50, 2_000) };
    case "old-copy":
      return victim === undefined
        ? undefined
        : { kind, atMs, node: victim, downMs: random.between(50, 2_000), copyAtMs: random.below(atMs) };
    case "pause":
      return { kind, atMs, node, forMs };
    case "partition":
      return {
        kind,
        atMs,
        side: random.shuffle(Array.from({ length: nodes }, (_, index) => index)).slice(0, random.between(1, Math.max(1, nodes - 1))),
        forMs,
      };
    case "one-way":
      return { kind, atMs, from: node, to: random.below(nodes), forMs };
    case "loss":
    case "duplication":
      return { kind, atMs, chance: random.between(1, 30) / 100, forMs };
    case "slow-links":
      return { kind, atMs, delayMs: random.between(10, 400), forMs };
    case "slow-disk":
      return { kind, atMs, node, syncMs: random.between(2, 80) };
    case "clock-step":
      return { kind, atMs, node, stepMs: random.between(-3_000, 3_000) };
    case "cluster-restart":
      return { kind, atMs, downMs: random.between(50, 2_000) };
    case "restart-lost":
      return victim === undefined ? undefined : { kind, atMs, node: victim, downMs: random.between(20, 500) };
    case "targeted-loss": {
      const decides = random.below(nodes);
      const prepares = random.below(nodes);
      const named = prepares === decides ? {} : { prepares };
      return { kind, atMs, decides, ...named, forMs: 2_000 + forMs };
    }
    case "silent":
    case "equivocate":
    case "forge":
      return victim === undefined ? undefined : { kind, node: victim };
  }
}

/** The nodes that a schedule makes Byzantine. */
export function byzantineNodes(faults: readonly Fault[], ids: readonly NodeId[]): ReadonlySet<NodeId> {
  const nodes = faults.flatMap((fault) => (isByzantine(fault) ? (ids[fault.node] ?? []) : []));
  return new Set(nodes);
}

function isByzantine(fault: Fault): fault is Extract<Fault, { kind: "silent" | "equivocate" | "forge" }> {
  return fault.kind === "silent" || fault.kind === "equivocate" || fault.kind === "forge";
}
