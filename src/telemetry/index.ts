export { createLogger, type LoggerOptions, type ProcessLogger } from "./logger.ts";
export { METRICS, type MetricDefinition } from "./metrics.ts";
export { createMetricsRegistry, createTelemetry, type MetricsRegistry } from "./telemetry.ts";
