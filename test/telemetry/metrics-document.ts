import { METRICS } from "#telemetry";

/** docs/METRICS.md as the table of metrics says it must be. */
export function metricsDocument(): string {
  const rows = METRICS.map(({ name, kind, unit, labels, help }) => {
    const labelText = labels.length === 0 ? "–" : labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${kind} | ${unit} | ${labelText} | ${help} |`;
  });
  return [
    "# Metrics",
    "",
    "Served at `GET /metrics` in the Prometheus text format, beside the figures of the process that prom-client gives (`process_*`, `nodejs_*`).",
    "Made from the table in `src/telemetry/metrics.ts`, which a test compares with this page.",
    "",
    "| name | kind | unit | labels | meaning |",
    "|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}
