import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { LogFields, LogLevel, Telemetry } from "#base";
import type { ProcessLogger } from "./logger.ts";
import { METRICS, type MetricDefinition } from "./metrics.ts";

/** Text from outside is cut to this many characters: a log is no place to store what a stranger sends. */
const FIELD_LENGTH_MAX = 512;

/** A Prometheus registry; `await registry.metrics()` is the text that /metrics serves. */
export type MetricsRegistry = Registry;

type Labels = Readonly<Record<string, string>>;
type Recorder = (value: number, labels: Labels | undefined) => void;

/** A registry with the figures of the process itself (memory, event loop, collector). One per process. */
export function createMetricsRegistry(): MetricsRegistry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/**
 * Telemetry into a pino logger and a Prometheus registry. Every metric of the table is registered at once, so that a scrape shows
 * zeros before the first event.
 *
 * Never throws: an undeclared metric, a wrong label or a number that is none is counted and logged once. A measurement must not
 * stop a node.
 */
export function createTelemetry(options: { readonly logger: ProcessLogger; readonly registry: MetricsRegistry }): Telemetry {
  const { logger, registry } = options;
  const recorders = { counter: new Map<string, Recorder>(), gauge: new Map<string, Recorder>(), histogram: new Map<string, Recorder>() };
  for (const metric of METRICS) recorders[metric.kind].set(metric.name, registerMetric(metric, registry));
  const reported = new Set<string>();
  const record = (kind: MetricDefinition["kind"], name: string, value: number, labels: Labels | undefined): void => {
    try {
      const recorder = recorders[kind].get(name);
      if (recorder === undefined) throw new RangeError(`no ${kind} of this name is declared`);
      recorder(value, labels);
    } catch (error) {
      recorders.counter.get("quorumgate_telemetry_errors_total")?.(1, undefined);
      if (reported.has(name)) return;
      reported.add(name);
      logger.error({ metric: name, reason: error instanceof Error ? error.message : "unknown" }, "telemetry.invalid");
    }
  };
  return {
    log: (level, event, fields) => log(logger, level, event, fields),
    count: (metric, amount = 1, labels) => record("counter", metric, amount, labels),
    gauge: (metric, value, labels) => record("gauge", metric, value, labels),
    observe: (metric, value, labels) => record("histogram", metric, value, labels),
  };
}

function log(logger: ProcessLogger, level: LogLevel, event: string, fields: LogFields | undefined): void {
  if (!logger.isLevelEnabled(level)) return;
  if (fields === undefined) {
    logger[level](event);
    return;
  }
  const bounded: Record<string, string | number | boolean | undefined> = {};
  for (const [name, value] of Object.entries(fields)) {
    bounded[name] = typeof value === "string" && value.length > FIELD_LENGTH_MAX ? `${value.slice(0, FIELD_LENGTH_MAX)}…` : value;
  }
  logger[level](bounded, event);
}

function registerMetric(metric: MetricDefinition, registry: MetricsRegistry): Recorder {
  const settings = { name: metric.name, help: metric.help, labelNames: [...metric.labels], registers: [registry] };
  switch (metric.kind) {
    case "counter": {
      const counter = new Counter(settings);
      return (value, labels) => (labels === undefined ? counter.inc(value) : counter.inc(labels, value));
    }
    case "gauge": {
      const gauge = new Gauge(settings);
      return (value, labels) => (labels === undefined ? gauge.set(value) : gauge.set(labels, value));
    }
    case "histogram": {
      const histogram = new Histogram({ ...settings, buckets: [...(metric.buckets ?? [])] });
      return (value, labels) => (labels === undefined ? histogram.observe(value) : histogram.observe(labels, value));
    }
  }
}
