import { cpus, release, totalmem } from "node:os";
import type { CanonicalObject } from "#base";

/** One line of a report: a figure with everything needed to read it. */
export interface BenchResult {
  readonly name: string;
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly unit: string;
  readonly median: number;
  /** Latency at the 99th percentile, milliseconds, where there is one. */
  readonly p99?: number;
  /** Median latency, milliseconds, where there is one. */
  readonly p50?: number;
  readonly runs: readonly number[];
}

/** One run of a load: operations a second, and how long each call took. */
export interface LoadRun {
  readonly perSecond: number;
  readonly latenciesMs: readonly number[];
  readonly failures: number;
}

/** Calls in parallel loops for so long; each call says how many operations it did. */
export async function runLoad(
  options: { readonly workers: number; readonly seconds: number },
  call: (worker: number) => Promise<number>,
): Promise<LoadRun> {
  const started = performance.now();
  const end = started + options.seconds * 1_000;
  const latenciesMs: number[] = [];
  let operations = 0;
  let failures = 0;
  const work = async (worker: number): Promise<void> => {
    while (performance.now() < end) {
      const begun = performance.now();
      const done = await call(worker);
      latenciesMs.push(performance.now() - begun);
      operations += done;
      if (done === 0) failures += 1;
    }
  };
  await Promise.all(Array.from({ length: options.workers }, (_, worker) => work(worker)));
  return { perSecond: operations / ((performance.now() - started) / 1_000), latenciesMs, failures };
}

/** Repeats something synchronous for so long and gives operations a second. */
export function runLoop(seconds: number, once: () => number): number {
  const started = performance.now();
  let operations = 0;
  while (performance.now() - started < seconds * 1_000) operations += once();
  return operations / ((performance.now() - started) / 1_000);
}

/** The value at a fraction of the sorted values. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0;
}

/** Several runs of a load as one line. */
export function loadResult(name: string, parameters: BenchResult["parameters"], runs: readonly LoadRun[]): BenchResult {
  const latencies = runs.flatMap((run) => run.latenciesMs);
  const failures = runs.reduce((sum, run) => sum + run.failures, 0);
  return {
    name,
    parameters: { ...parameters, failures },
    unit: "operations/s",
    median: Math.round(
      percentile(
        runs.map((run) => run.perSecond),
        0.5,
      ),
    ),
    p50: round(percentile(latencies, 0.5)),
    p99: round(percentile(latencies, 0.99)),
    runs: runs.map((run) => Math.round(run.perSecond)),
  };
}

/** The machine, as a reader of the figures needs it. */
export function environment(backend: string): CanonicalObject {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    ed25519: backend,
    fsync: "on",
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
