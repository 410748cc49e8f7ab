/** One metric. The name ends in its unit, or in `_total` for a counter, as Prometheus asks. */
export interface MetricDefinition {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  /** What one is: `blocks`, `seconds`, … */
  readonly unit: string;
  readonly help: string;
  /** Names of labels. Their values come from small fixed sets: codes, members, routes; never from callers. */
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, in its unit, ascending. */
  readonly buckets?: readonly number[];
}

/** From a tenth of a millisecond to ten seconds: an fsync and a lost leader fit on one scale. */
const LATENCY_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const BATCH_SIZES = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000];

function counter(name: string, unit: string, help: string, labels: readonly string[] = []): MetricDefinition {
  return { name, kind: "counter", unit, help, labels };
}

function gauge(name: string, unit: string, help: string, labels: readonly string[] = []): MetricDefinition {
  return { name, kind: "gauge", unit, help, labels };
}

function latency(name: string, help: string, labels: readonly string[] = []): MetricDefinition {
  return { name, kind: "histogram", unit: "seconds", help, labels, buckets: LATENCY_SECONDS };
}

/** Every metric of the product, once; docs/METRICS.md is checked against it. A name that is not here is not measured. */
export const METRICS: readonly MetricDefinition[] = [
  counter("quorumgate_blocks_committed_total", "blocks", "Blocks that this node applied after a commit certificate."),
  counter("quorumgate_commands_total", "commands", "Commands applied in blocks, by outcome.", ["outcome"]),
  counter("quorumgate_decisions_total", "decisions", "Ordered authorization decisions, by verdict.", ["decision"]),
  counter("quorumgate_peer_invalid_total", "frames", "Frames and messages of a peer that broke a rule, by peer and code.", [
    "peer",
    "code",
  ]),
  counter("quorumgate_refusals_total", "refusals", "Commands and requests refused or denied, by code of the catalogue.", ["code"]),
  { ...latency("quorumgate_block_commands", "Commands in a committed block."), unit: "commands", buckets: BATCH_SIZES },
  latency("quorumgate_commit_seconds", "From a block's first proposal seen by this node to its commit certificate."),
  latency("quorumgate_apply_seconds", "Applying one block: state machine and audit log, without the disk."),
  latency("quorumgate_cosign_seconds", "From this node's cosignature to a quorum's on the same checkpoint."),
  latency("quorumgate_submit_seconds", "From a command's arrival at this gateway to its certified answer."),
  gauge("quorumgate_height", "height", "Height of the last applied block."),
  gauge("quorumgate_certified_height", "height", "Height of the newest certified checkpoint known to this node."),
  gauge("quorumgate_view", "view", "Current view of the consensus core."),
  gauge(
    "quorumgate_voting_weight",
    "weight",
    "Weight of the members that vote as far as this node knows: linked ones that say so, and itself.",
  ),
  gauge("quorumgate_epoch", "epoch", "Current epoch of the membership."),
  counter("quorumgate_view_changes_total", "view changes", "Views that this node gave up for a later one."),
  counter("quorumgate_evidence_total", "records", "Signed proofs of misbehaviour that this node found, by kind.", ["kind"]),
  gauge("quorumgate_mempool_commands", "commands", "Commands that wait for a block in this node."),
  counter("quorumgate_signatures_verified_total", "signatures", "Signatures checked by this node, by verdict.", ["verdict"]),
  counter("quorumgate_sync_blocks_total", "blocks", "Blocks fetched from peers to catch up."),
  latency("quorumgate_storage_write_seconds", "One synced batch of the store."),
  counter("quorumgate_storage_written_bytes_total", "bytes", "Bytes of keys and values written to the store."),
  counter(
    "quorumgate_storage_set_aside_total",
    "records",
    "Damaged records that the node goes on without, by kind (evidence, handover, point, stable-state).",
    ["kind"],
  ),
  gauge("quorumgate_peers_connected", "peers", "Members that this node has a proved link to."),
  counter("quorumgate_transport_frames_total", "frames", "Frames exchanged with peers, by direction (in, out).", ["direction"]),
  counter("quorumgate_transport_bytes_total", "bytes", "Bytes of frames exchanged with peers, by direction (in, out).", ["direction"]),
  counter("quorumgate_transport_dropped_frames_total", "frames", "Frames not sent, by reason (peer-away, queue-full).", ["reason"]),
  counter("quorumgate_transport_links_total", "links", "Links to peers that came up or went down, by peer and event (up, down).", [
    "peer",
    "event",
  ]),
  counter(
    "quorumgate_transport_refusals_total",
    "connections",
    "Connections to the peer port refused, by stage (incomplete, identity, slow, crowded).",
    ["stage"],
  ),
  counter("quorumgate_http_requests_total", "requests", "HTTP requests answered, by method, route and status.", [
    "method",
    "route",
    "status",
  ]),
  latency("quorumgate_http_request_seconds", "HTTP requests, from headers read to answer written, by route.", ["route"]),
  counter("quorumgate_telemetry_errors_total", "observations", "Observations of a metric or label that is not declared: a bug of ours."),
];
