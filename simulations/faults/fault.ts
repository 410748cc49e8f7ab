import type { NodeId, SeededRandom } from "#base";
import type { SimulatedCluster, SimulatedNode } from "../cluster.ts";
import type { FrameReader } from "../frame-reader.ts";
import type { Mend, SimulatedNetwork } from "../network.ts";
import type { Workload } from "../workload.ts";

/** Every number that a fault may carry. Nodes are indexes in the order of the membership; times are virtual milliseconds. */
export interface FaultParameters {
  readonly atMs: number;
  readonly forMs: number;
  /** How long a node is down before it is started again. */
  readonly downMs: number;
  readonly node: number;
  readonly from: number;
  readonly to: number;
  readonly side: readonly number[];
  /** From 0 to 1. */
  readonly chance: number;
  readonly delayMs: number;
  readonly periodMs: number;
  readonly syncMs: number;
  readonly stepMs: number;
  /** Per cent by which a clock gains, or loses. */
  readonly percent: number;
  /** When the copy was taken that is put back later. */
  readonly copyAtMs: number;
  readonly count: number;
  /** Picks a kind of message, among those met until then. */
  readonly message: number;
  readonly decides: number;
  readonly prepares?: number;
  /** How many writes go well before; none when absent. */
  readonly writes?: number;
}

/** Where a fault is put in. */
export type FaultGroup = "network" | "process" | "storage" | "clock" | "client" | "byzantine";

/**
 * What a fault spends of what the cluster can tolerate. `voice`: the node is no longer honest. `memory`: it may have forgotten its votes.
 * `clock`: its proposals may all be refused. At most the tolerable weight of nodes is met by any of them, so that one good copy is left
 * in each quorum; all other faults may meet every node.
 */
export type FaultCost = "voice" | "memory" | "clock" | "none";

/** One fault as a value: a schedule is its list, which can be read, shrunk and replayed. */
export type Fault = { readonly kind: string } & Partial<FaultParameters>;

/** What a fault is drawn from. `victim` is a node that may be spent, undefined where none may. */
export interface Draw {
  readonly random: SeededRandom;
  readonly nodes: number;
  readonly victim: number | undefined;
  readonly atMs: number;
  readonly forMs: number;
  readonly node: number;
}

/** What faults act upon. */
export interface Laboratory {
  readonly seed: number;
  readonly cluster: SimulatedCluster;
  readonly network: SimulatedNetwork;
  readonly clients: Workload;
  readonly frames: FrameReader;
  /** The node at an index; indexes past the end mean the first. */
  at(index: number): SimulatedNode;
  id(index: number): NodeId;
  /** Virtual time from now. */
  later(delayMs: number, run: () => void): void;
  /** A stream of random numbers of one fault's own: leaving another fault out does not change it. */
  randomOf(fault: Fault): SeededRandom;
  /** Kills nodes in a way, and starts them again. */
  down(downMs: number, nodes: readonly NodeId[], kill: (node: NodeId) => void): void;
  /** Ends something later. */
  mendAfter(forMs: number, mend: Mend): void;
  /** The fault took effect: counted. */
  hit(kind: string): void;
  /** Nodes that lie, or may have forgotten, or whose clock is wild, at any time of this schedule. */
  readonly spent: ReadonlySet<NodeId>;
  /** A rare branch ran. */
  mark(name: string): void;
  /** Makes a node Byzantine. */
  corrupt(kind: string, fault: Fault): void;
}

/** One row of the catalogue of faults. */
export interface FaultDefinition {
  readonly kind: string;
  readonly group: FaultGroup;
  readonly cost: FaultCost;
  /** What happens, in a line. */
  readonly about: string;
  /** Where it is put in. */
  readonly where: string;
  /** What has to hold all the same, beside every invariant. */
  readonly must: string;
  readonly parameters: readonly (keyof FaultParameters)[];
  draw(draw: Draw): Partial<FaultParameters> | undefined;
  /** Runs at the fault's time; Byzantine kinds from the beginning. */
  inject(lab: Laboratory, fault: Fault): void;
  /** Runs when the schedule begins, for what has to be prepared. */
  prepare?(lab: Laboratory, fault: Fault): void;
  /** It says itself when it took effect; else that is when it is injected. */
  readonly countsItself?: boolean;
  /** It is drawn where what it needs is there too, or where it is asked for (`scenes.ts`); any schedule may have the others. */
  readonly isStaged?: boolean;
}

/** A row whose functions see exactly the parameters that it names. */
export interface FaultRow<Key extends keyof FaultParameters> {
  readonly kind: string;
  readonly about: string;
  readonly where: string;
  readonly must: string;
  readonly cost?: FaultCost;
  readonly parameters: readonly Key[];
  draw(draw: Draw): Pick<FaultParameters, Key> | undefined;
  inject(lab: Laboratory, fault: Fault & Pick<FaultParameters, Key>): void;
  prepare?(lab: Laboratory, fault: Fault & Pick<FaultParameters, Key>): void;
  readonly countsItself?: boolean;
  readonly isStaged?: boolean;
}

/** Makes a row of the catalogue. Faults are checked against their parameters when they are read, so the functions may rely on them. */
export function rowOf<Key extends keyof FaultParameters>(group: FaultGroup, row: FaultRow<Key>): FaultDefinition {
  return { cost: "none", ...row, group } as FaultDefinition;
}
