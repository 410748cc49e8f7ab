import { faultModelOf, type Membership, type NodeId, parseGenesis, parseNodeId, tolerableWeight, totalWeight, weightOf } from "#base";
import type { SimulatedNode } from "../cluster.ts";
import { type Fault, type FaultDefinition, type FaultParameters, type FaultRow, type Laboratory, rowOf } from "./fault.ts";
import { leaderNow } from "./network-faults.ts";

/** How often the operator looks how far a newcomer is: a barrier lasts some milliseconds. */
const LOOK_MS = 2;
/** An operator who sees no effect sends a change again after this time. */
const AGAIN_MS = 900;
/** A newcomer may stand so many heights below the others when it becomes a member. */
const BEHIND_MAX = 3;
/** From then on nothing is changed any more. */
const JOINING_UNTIL_MS = 7_500;
/** Where the newcomer stands among the members by its id: before all, among them, behind all. */
const NAMES = ["joined", "node-02-joined", "zoe-joined"] as const;

/** Where a newcomer's epoch stands: ordered and not begun, or begun. */
type Barrier = "ordered" | "begun";

/** What a row does beside having a node join; each once. */
interface Disturbance<Key extends keyof FaultParameters> {
  readonly kind: string;
  readonly about: string;
  readonly where: string;
  readonly must: string;
  readonly parameters: readonly Key[];
  draw(random: Parameters<FaultDefinition["draw"]>[0]): Pick<FaultParameters, Key>;
  at(barrier: Barrier, lab: Laboratory, joining: { readonly fault: Fault & Pick<FaultParameters, Key>; readonly id: NodeId }): void;
}

/** Nodes that join a cluster that runs: admitted as learners, brought up to date by the others, then made members. */
export const JOIN_FAULTS: readonly FaultDefinition[] = [
  joinRow({
    kind: "join",
    about: "the operator admits a new node as a learner, waits until it has caught up, and makes it a member",
    where: "a process of its own, and the gateway of a node",
    must: "it counts from its epoch's first height on, and is needed as any other (C15, A1, A3, A7)",
    parameters: [],
    draw: () => ({}),
    at: (barrier, lab) => {
      if (barrier === "begun") lab.hit("join");
    },
  }),
  joinRow({
    kind: "join-crash",
    about: "whoever leads, or the node that joins, is killed while that node's epoch is about to begin, or as it begins",
    where: "the leader's process, or that of a node that joins",
    must: "the epoch begins once, for all, and with the new member as it was recorded (C15, A1, A5, A7)",
    parameters: ["delayMs", "downMs", "count"],
    draw: ({ random }) => ({
      delayMs: random.pick([0, 0, 1, 2, 4, 8, 50]),
      downMs: random.between(100, 3_000),
      count: random.below(4),
    }),
    at: (barrier, lab, { fault, id }) => {
      if ((barrier === "begun") !== fault.count >= 2) return;
      lab.later(fault.delayMs, () => {
        const victim = fault.count % 2 === 0 ? leaderNow(lab) : id;
        if (victim === undefined) return;
        lab.hit("join-crash");
        lab.down(fault.downMs, [victim], (node) => lab.cluster.crash(node));
      });
    },
  }),
  joinRow({
    kind: "join-parted",
    about: "the node that joins and some members hear nothing of the others while its epoch is about to begin, or as it begins",
    where: "the links between the sides",
    must: "at most one side goes on; after the heal all are in one epoch and drain (C15, A1, A7)",
    parameters: ["side", "delayMs", "forMs", "count"],
    draw: ({ random, nodes, forMs }) => ({
      side: random.shuffle(Array.from({ length: nodes }, (_, index) => index)).slice(0, random.below(nodes)),
      delayMs: random.pick([0, 0, 1, 2, 4, 8, 50]),
      forMs,
      count: random.below(2),
    }),
    at: (barrier, lab, { fault, id }) => {
      if ((barrier === "begun") !== (fault.count === 1)) return;
      lab.later(fault.delayMs, () => {
        lab.hit("join-parted");
        const side = new Set([id, ...fault.side.map((index) => lab.id(index))]);
        const all = lab.cluster.nodes.map((node) => node.id);
        lab.mendAfter(fault.forMs, lab.network.partition(side, all));
      });
    },
  }),
  joinRow({
    kind: "join-forgets",
    about: "the disk of a node that joins is lost while it is a learner still, or as its epoch begins",
    where: "the data folder of a node that joins",
    must: "it votes above a height that the others prove, as any member that lost its disk (C15, D6, A5, A7)",
    parameters: ["delayMs", "downMs", "count"],
    draw: ({ random }) => ({ delayMs: random.pick([0, 0, 2, 8, 50, 300]), downMs: random.between(100, 2_000), count: random.below(2) }),
    at: (barrier, lab, { fault, id }) => {
      if ((barrier === "begun") !== (fault.count === 1)) return;
      lab.later(fault.delayMs, () => {
        if (!mayForget(lab, id)) return;
        lab.hit("join-forgets");
        lab.down(fault.downMs, [id], (node) => lab.cluster.loseDisk(node));
      });
    },
  }),
];

const KINDS: ReadonlySet<string> = new Set(JOIN_FAULTS.map(({ kind }) => kind));

/** The nodes that may join in a schedule. */
export function newcomersOf(faults: readonly Fault[]): readonly NodeId[] {
  return faults.filter(({ kind }) => KINDS.has(kind)).map(newcomerOf);
}

/** Those of them that may lose their disks. */
export function forgetfulOf(faults: readonly Fault[]): readonly NodeId[] {
  return newcomersOf(faults.filter(({ kind }) => kind === "join-forgets"));
}

/** Whether the members tolerate that this one forgets, beside all others that this schedule spends. */
function mayForget({ cluster, spent }: Laboratory, id: NodeId): boolean {
  const next = cluster.nodes.flatMap(({ replica }) => replica?.state.pendingChange()?.next ?? []);
  const membership = [...next, cluster.newestMembership()].find((item) => item?.members.some((member) => member.id === id));
  const model = faultModelOf(parseGenesis(cluster.genesisBytes).engine);
  return membership !== undefined && weightOf(membership, spent) <= tolerableWeight(totalWeight(membership), model);
}

/** The node that a fault has join: another one for each time and gateway. */
function newcomerOf({ atMs = 0, node = 0 }: Fault): NodeId {
  return parseNodeId(`${NAMES[(Math.round(atMs) + node) % NAMES.length]}-${node}-${Math.round(atMs)}`);
}

function joinRow<Key extends keyof FaultParameters>(disturbance: Disturbance<Key>): FaultDefinition {
  const { kind, about, where, must, parameters, draw, at } = disturbance;
  const row: FaultRow<Key | "atMs" | "node"> = {
    kind,
    about,
    where,
    must,
    parameters: ["atMs", "node", ...parameters],
    draw: (drawn) => {
      const when = { atMs: drawn.random.between(500, 4_000), node: drawn.node };
      return { ...draw(drawn), ...when } as Pick<FaultParameters, Key | "atMs" | "node">;
    },
    countsItself: true,
    isStaged: true,
    inject: (lab, fault) => {
      const id = newcomerOf(fault);
      if (lab.cluster.nodes.some((node) => node.id === id)) return;
      new Joining(lab, { fault, id, at: (barrier) => at(barrier, lab, { fault, id }) }).begin();
    },
  };
  return rowOf("client", row);
}

/** One node on its way from nobody to a member, and the operator who leads it. */
class Joining {
  readonly #lab: Laboratory;
  readonly #id: NodeId;
  readonly #gateway: number;
  readonly #weight: number;
  readonly #at: (barrier: Barrier) => void;
  readonly #passed = new Set<Barrier>();
  #sent = "";
  #sentMs = 0;
  #turns = 0;

  constructor(
    lab: Laboratory,
    about: { readonly fault: Fault & Pick<FaultParameters, "node">; readonly id: NodeId; readonly at: (barrier: Barrier) => void },
  ) {
    this.#lab = lab;
    this.#id = about.id;
    this.#gateway = about.fault.node;
    this.#at = about.at;
    // As much as some member has: nobody becomes fatal by it.
    this.#weight = lab.randomOf(about.fault).pick(lab.cluster.members).weight;
  }

  begin(): void {
    this.#lab.cluster.add(this.#id);
    this.#look();
  }

  #look(): void {
    const { scheduler } = this.#lab.cluster;
    if (scheduler.elapsedMs() > JOINING_UNTIL_MS) return;
    if (this.#isMember(this.#lab.cluster.newestMembership())) return this.#pass("begun");
    if (this.#isOrdered()) this.#pass("ordered");
    else if (!this.#isLearner()) this.#send("learner.add");
    else if (this.#hasCaughtUp()) this.#send("membership.change");
    this.#lab.later(LOOK_MS, () => this.#look());
    return undefined;
  }

  #pass(barrier: Barrier): void {
    if (this.#passed.has(barrier)) return;
    this.#passed.add(barrier);
    this.#at(barrier);
  }

  #send(kind: "learner.add" | "membership.change"): void {
    const { clients, cluster } = this.#lab;
    const nowMs = cluster.scheduler.elapsedMs();
    if (this.#sent === kind && nowMs - this.#sentMs < AGAIN_MS) return;
    const [id, weight] = [this.#id, this.#weight];
    const signed = clients.govern((frame) =>
      kind === "learner.add"
        ? { ...frame, kind, nodeFile: clients.nodeFile(id, id) }
        : { ...frame, kind, add: [{ id, weight }], remove: [], reweight: [] },
    );
    if (signed === undefined) return;
    // A gateway that is down or cut off tells nobody of it: the next time another one.
    this.#turns += this.#sent === kind ? 1 : 0;
    this.#sent = kind;
    this.#sentMs = nowMs;
    clients.submit(this.#lab.id((this.#gateway + this.#turns) % cluster.members.length), signed);
  }

  get #running(): readonly SimulatedNode[] {
    return this.#lab.cluster.nodes.filter(({ replica }) => replica !== undefined);
  }

  #isMember(membership: Membership | undefined): boolean {
    return membership?.members.some(({ id }) => id === this.#id) === true;
  }

  #isOrdered(): boolean {
    return this.#running.some(({ replica }) => this.#isMember(replica?.state.pendingChange()?.next));
  }

  #isLearner(): boolean {
    return this.#running.some(({ replica }) => replica?.state.learners().some(({ id }) => id === this.#id) === true);
  }

  #hasCaughtUp(): boolean {
    const highest = Math.max(...this.#running.map(({ replica }) => replica?.state.height ?? 0));
    const own = this.#lab.cluster.node(this.#id).replica?.state.height;
    return own !== undefined && own + BEHIND_MAX >= highest;
  }
}
