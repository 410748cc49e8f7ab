import { expect } from "chai";
import { METRICS } from "#telemetry";
import { ServedNode } from "./served-node.ts";

/** What a node alone cannot meet: it has no peers to fetch from, to be linked to, or to suspect. */
const NEEDS_PEERS = [
  "quorumgate_evidence_total",
  "quorumgate_peer_invalid_total",
  "quorumgate_sync_blocks_total",
  "quorumgate_view_changes_total",
  "quorumgate_peers_connected",
];
/** What only goes wrong. */
const NEEDS_FAILURE = ["quorumgate_storage_set_aside_total", "quorumgate_telemetry_errors_total"];

describe("the metrics of a running node", () => {
  const node = new ServedNode();
  const values = new Map<string, number>();

  before(async () => {
    await node.begin();
    const denied = {
      capability: {
        domain: "nobody-granted",
        operation: "execute",
        scope: "system",
        temporal: "continuous",
        riskLevel: "critical",
        resources: ["x"],
      },
    };
    await node.post("/v1/authorize", await node.question());
    await node.post("/v1/authorize", await node.question({ body: denied }));
    await node.post("/v1/authorize", { nonsense: true });
    // Gauges follow with the next tick.
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const line of (await node.get("/metrics")).text.split("\n")) {
      const [, name = "", labels = "", value = ""] = /^(quorumgate_[a-z_]+)(\{.*\})? (\S+)$/.exec(line) ?? [];
      if (name !== "") values.set(name + labels, Number(value));
    }
  });
  after(() => node.end());

  const seriesOf = (name: string): string[] => [...values.keys()].filter((series) => series === name || series.startsWith(`${name}{`));

  it("measure every metric that is declared and that a node alone can meet", () => {
    const expected = METRICS.filter(
      ({ name }) => !NEEDS_PEERS.includes(name) && !NEEDS_FAILURE.includes(name) && !name.includes("_transport_"),
    );
    const missing = expected.filter(({ name, kind }) =>
      seriesOf(kind === "histogram" ? `${name}_count` : name).every((series) => !Number.isFinite(values.get(series))),
    );
    expect(missing.map(({ name }) => name)).to.deep.equal([]);
    const empty = expected.filter(
      ({ name, kind }) => kind === "histogram" && seriesOf(`${name}_count`).every((series) => values.get(series) === 0),
    );
    expect(
      empty.map(({ name }) => name),
      "histograms without an observation",
    ).to.deep.equal([]);
  });

  it("count decisions by verdict, signatures by verdict, and requests by method, route and status", () => {
    expect(values.get('quorumgate_decisions_total{decision="allowed"}')).to.be.at.least(1);
    expect(values.get('quorumgate_decisions_total{decision="denied"}')).to.equal(1);
    expect(values.get('quorumgate_signatures_verified_total{verdict="valid"}')).to.be.at.least(5);
    expect(values.get('quorumgate_http_requests_total{method="POST",route="/v1/authorize",status="200"}')).to.equal(2);
    expect(values.get('quorumgate_http_requests_total{method="POST",route="/v1/authorize",status="400"}')).to.equal(1);
  });

  it("say where the node stands", () => {
    const blocks = values.get("quorumgate_blocks_committed_total") ?? 0;
    expect(values.get("quorumgate_height")).to.be.at.least(blocks).and.at.least(4);
    expect(values.get("quorumgate_epoch")).to.equal(0);
    expect(values.get("quorumgate_voting_weight")).to.equal(1);
    expect(values.get("quorumgate_view")).to.equal(0);
    expect(values.get("quorumgate_mempool_commands")).to.equal(0);
    expect(values.get("quorumgate_telemetry_errors_total") ?? 0).to.equal(0);
  });
});
