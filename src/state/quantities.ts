import { shapeError } from "./vocabulary.ts";

const VOLUME = /^([1-9][0-9]{0,15})(B|kB|MB|GB|TB|PB|KiB|MiB|GiB|TiB|PiB)$/;
const RATE = /^([1-9][0-9]{0,11})\/(sec|min|hour)$/;

const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1_000,
  MB: 1_000 ** 2,
  GB: 1_000 ** 3,
  TB: 1_000 ** 4,
  PB: 1_000 ** 5,
  KiB: 1_024,
  MiB: 1_024 ** 2,
  GiB: 1_024 ** 3,
  TiB: 1_024 ** 4,
  PiB: 1_024 ** 5,
};

/** Every unit divides the hour, so a rate is an integer per hour whatever unit it was written in. */
const PER_HOUR: Readonly<Record<string, number>> = { sec: 3_600, min: 60, hour: 1 };

/**
 * Bytes of a volume such as `10GB` (decimal units) or `10GiB` (binary units): a positive integer directly followed by its unit,
 * at most 2^53−1 bytes.
 * @throws {QuorumgateError} FORMAT_SHAPE_INVALID
 */
export function parseDataVolume(text: string): number {
  const [, count, unit] = VOLUME.exec(text) ?? [];
  const bytes = Number(count) * (BYTES_PER_UNIT[unit ?? ""] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) throw shapeError("a data volume is an integer and a unit such as 10GB or 512MiB, below 2^53 bytes");
  return bytes;
}

/**
 * Calls per hour of a rate such as `1000/sec`, `60/min` or `5/hour`. Rates compare by their average: 60/min equals 1/sec.
 * @throws {QuorumgateError} FORMAT_SHAPE_INVALID
 */
export function parseRateLimit(text: string): number {
  const [, count, unit] = RATE.exec(text) ?? [];
  const perHour = Number(count) * (PER_HOUR[unit ?? ""] ?? Number.NaN);
  if (!Number.isSafeInteger(perHour)) throw shapeError("a rate is an integer per sec, min or hour, such as 1000/sec");
  return perHour;
}
