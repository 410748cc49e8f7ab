import { parseHash, toBase64Url } from "#base";
import { type FaultDefinition, type FaultParameters, type FaultRow, rowOf } from "./fault.ts";

function client<Key extends keyof FaultParameters>(row: FaultRow<Key>): FaultDefinition {
  return rowOf("client", row);
}

const SECOND_US = 1_000_000;
/** Between two changes of members. */
const REWEIGHT_PAUSE_MS = 700;
/** Commands that expire within milliseconds. */
const SHORT_LIVED = 4;

/** Faults of clients: what careless and hostile callers send. */
export const CLIENT_FAULTS: readonly FaultDefinition[] = [
  client({
    kind: "duplicate-commands",
    about: "a client sends the same bytes to every node, again and again",
    where: "the gateways of all nodes",
    must: "the command takes effect once and has one answer (A2)",
    parameters: ["atMs", "periodMs", "count"],
    draw: ({ random, atMs }) => ({ atMs, periodMs: random.between(1, 400), count: random.between(2, 4) }),
    inject: (lab, fault) => {
      const signed = lab.clients.odd(lab.randomOf(fault));
      for (let turn = 0; turn < fault.count; turn++)
        lab.later(turn * fault.periodMs, () => {
          for (const { id } of lab.cluster.nodes) lab.clients.submit(id, signed);
        });
    },
  }),
  client({
    kind: "reweight",
    about: "the operator changes every weight alike, so that new epochs begin under whatever else happens",
    where: "the gateway of a node",
    must: "one epoch ends before the next begins, certified by its own members; decisions go on (C15, A1, A3, A7)",
    parameters: ["atMs", "node", "count"],
    draw: ({ random, atMs, node }) => ({ atMs, node, count: random.between(1, 3) }),
    inject: (lab, fault) => {
      for (let turn = 0; turn < fault.count; turn++) {
        lab.later(turn * REWEIGHT_PAUSE_MS, () => {
          const signed = lab.clients.reweight(turn + 2);
          if (signed !== undefined) lab.clients.submit(lab.id(fault.node), signed);
        });
      }
    },
  }),
  client({
    kind: "conflicting-ids",
    about: "a client gives two different commands one id, and sends each to other nodes",
    where: "the gateways of all nodes",
    must: "at most one takes effect (C13, A2)",
    parameters: ["atMs", "count"],
    draw: ({ random, atMs }) => ({ atMs, count: random.between(1, 3) }),
    inject: (lab, fault) => {
      const random = lab.randomOf(fault);
      for (let pair = 0; pair < fault.count; pair++) {
        const id = toBase64Url(random.bytes(16));
        const nowUs = lab.cluster.scheduler.nowUs();
        const stories = [0, 1].map((story) => lab.clients.odd(random, { id, issuedAtUs: nowUs - story, service: pair }));
        for (const [index, node] of lab.cluster.nodes.entries()) {
          const story = stories[index % 2];
          if (story !== undefined) lab.clients.submit(node.id, story);
        }
      }
    },
  }),
  client({
    kind: "expired-commands",
    about: "a client sends commands that have expired, are about to, or are not yet valid",
    where: "the gateways of all nodes",
    must: "expiry is judged by agreed time and alike everywhere (A9)",
    parameters: ["atMs", "node"],
    draw: ({ atMs, node }) => ({ atMs, node }),
    inject: (lab, fault) => {
      const random = lab.randomOf(fault);
      const nowUs = lab.cluster.scheduler.nowUs();
      const lifetimes = [
        { issuedAtUs: nowUs - 20 * SECOND_US, expiresAtUs: nowUs - 1 },
        { issuedAtUs: nowUs + 4 * SECOND_US, expiresAtUs: nowUs + 30 * SECOND_US },
        { issuedAtUs: nowUs + 60 * SECOND_US, expiresAtUs: nowUs + 90 * SECOND_US },
        {},
      ];
      for (const lifetime of lifetimes) lab.clients.submit(lab.id(fault.node), lab.clients.odd(random, lifetime));
      // While the one before is decided, these wait, and some wait too long.
      lab.later(2, () => {
        for (let i = 0; i < SHORT_LIVED; i++) {
          const issuedAtUs = lab.cluster.scheduler.nowUs();
          const expiresAtUs = issuedAtUs + random.between(1_500, 12_000);
          lab.clients.submit(lab.id(fault.node), lab.clients.odd(random, { issuedAtUs, expiresAtUs }));
        }
      });
    },
  }),
  client({
    kind: "revocations",
    about: "the operator grants, takes back every grant of a service, and the service asks every node at once and later",
    where: "the gateways of all nodes",
    must: "nobody is allowed what was taken back before it asked (A6, Z1)",
    parameters: ["atMs", "node", "periodMs", "count"],
    draw: ({ random, atMs, node }) => ({ atMs, node, periodMs: random.between(5, 600), count: random.between(1, 4) }),
    inject: (lab, fault) => {
      const { clients, cluster } = lab;
      const random = lab.randomOf(fault);
      const service = random.below(3);
      clients.submit(lab.id(fault.node), clients.grant(random, service));
      lab.later(fault.periodMs, () => {
        for (const revocation of clients.revocations(random, service)) clients.submit(random.pick(cluster.nodes).id, revocation);
      });
      for (let turn = 1; turn <= fault.count; turn++)
        lab.later((turn + 0.5) * fault.periodMs, () => {
          for (const { id } of cluster.nodes) clients.submit(id, clients.odd(random, { service }));
        });
    },
  }),
  client({
    kind: "command-flood",
    about: "one client sends a burst of commands through one node",
    where: "one gateway",
    must: "others are served in turn (C13)",
    parameters: ["atMs", "node", "count"],
    draw: ({ random, atMs, node }) => ({ atMs, node, count: random.between(20, 60) }),
    inject: (lab, fault) => {
      const random = lab.randomOf(fault);
      for (let i = 0; i < fault.count; i++) lab.clients.submit(lab.id(fault.node), lab.clients.odd(random));
    },
  }),
  client({
    kind: "batch-commands",
    about: "a client signs many commands at once, and sends them through different nodes",
    where: "the gateways of all nodes",
    must: "each stands alone: decided once, with a receipt of its own",
    parameters: ["atMs", "count"],
    draw: ({ random, atMs }) => ({ atMs, count: random.between(1, 16) }),
    inject: (lab, fault) => {
      const { nodes } = lab.cluster;
      for (const [index, signed] of lab.clients.batch(lab.randomOf(fault), fault.count).entries())
        lab.clients.submit(lab.id(index % nodes.length), signed);
    },
  }),
  client({
    kind: "reads",
    about: "the operator grants again and again, and clients ask every node for linearizable reads meanwhile",
    where: "the gateways of all nodes",
    must: "each sees all that was answered before it began, or nothing (C9, C10, A6)",
    parameters: ["atMs", "periodMs", "count"],
    draw: ({ random, atMs }) => ({ atMs, periodMs: random.between(50, 500), count: random.between(3, 12) }),
    inject: (lab, fault) => {
      const { clients, cluster } = lab;
      const random = lab.randomOf(fault);
      const service = random.below(3);
      for (let turn = 0; turn < fault.count; turn++) {
        lab.later(turn * fault.periodMs, () => clients.submit(random.pick(cluster.nodes).id, clients.grant(random, service)));
        lab.later((turn + 0.5) * fault.periodMs, () => {
          for (const { id } of cluster.nodes) clients.read(id, service);
        });
      }
    },
  }),
  client({
    kind: "forged-commands",
    about: "a client sends good bytes to some nodes, and the same with a bad signature to others; and some that are bad everywhere",
    where: "the gateways of all nodes",
    must: "what nobody signed is never ordered; what somebody signed is not lost (C13, A2)",
    parameters: ["atMs", "node"],
    draw: ({ atMs, node }) => ({ atMs, node }),
    inject: (lab, fault) => {
      const random = lab.randomOf(fault);
      const good = lab.clients.odd(random);
      const bad = { ...good, signature: random.bytes(64) };
      const nowhere = lab.clients.forged(random);
      for (const [index, { id }] of lab.cluster.nodes.entries()) {
        lab.clients.submit(id, index === fault.node ? good : bad);
        lab.clients.submit(id, nowhere);
      }
    },
  }),
  client({
    kind: "foreign-commands",
    about: "a client sends commands that were signed for another cluster",
    where: "one gateway",
    must: "refused: the cluster is in the signed bytes (C4)",
    parameters: ["atMs", "node"],
    draw: ({ atMs, node }) => ({ atMs, node }),
    inject: (lab, fault) => {
      const cluster = parseHash("ab".repeat(32));
      lab.clients.submit(lab.id(fault.node), lab.clients.odd(lab.randomOf(fault), { cluster }));
    },
  }),
];
