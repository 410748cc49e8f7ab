import { type Hash, QuorumgateError } from "#base";

/** A half year of the log, `2026h2`. Names order by time. */
export type ShardName = string;

const MICROSECONDS_PER_DAY = 86_400_000_000;
const SHARD = /^[0-9]{4}h[12]$/;

/** True for a name that `shardAt` could give. */
export function isShardName(text: string): boolean {
  return SHARD.test(text);
}

/**
 * The shard of an agreed time.
 *
 * Integer calendar arithmetic, because a pure room has no Date; proleptic Gregorian, UTC, without leap seconds, as in POSIX time.
 * @param timeUs microseconds since 1970
 */
export function shardAt(timeUs: number): ShardName {
  const { year, month } = civilFromDays(Math.floor(timeUs / MICROSECONDS_PER_DAY));
  return `${String(year).padStart(4, "0")}h${month <= 6 ? 1 : 2}`;
}

/** Origin of a shard's checkpoints: `<trust domain>/audit/<first 8 hex of cluster id>/<shard>`. */
export function shardOrigin(log: { readonly trustDomain: string; readonly cluster: Hash }, shard: ShardName): string {
  return `${log.trustDomain}/audit/${log.cluster.slice(0, 8)}/${shard}`;
}

/** The shard that an origin of this cluster names. @throws {QuorumgateError} VERIFY_SIGNER when it is the origin of another log */
export function shardOfOrigin(origin: string, log: { readonly trustDomain: string; readonly cluster: Hash }): ShardName {
  const shard = origin.slice(-6);
  if (!isShardName(shard) || origin !== shardOrigin(log, shard)) {
    throw new QuorumgateError("VERIFY_SIGNER", "the checkpoint is of another log than the policy's");
  }
  return shard;
}

/** Source: Howard Hinnant, chrono-compatible low-level date algorithms, civil_from_days: years start in March, eras have 400 years. */
function civilFromDays(days: number): { year: number; month: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month };
}
