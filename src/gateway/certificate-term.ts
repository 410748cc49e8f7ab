import type { Telemetry } from "#base";
import { parseCertificate } from "#crypto";
import type { NodeIdentity } from "#identity";

/** A certificate that ends within this time is told of at each start: an institution needs some weeks to put another node in the place of one. */
const NOTICE_MS = 30 * 86_400_000;

/**
 * Says in the log when the node's TLS certificate has run out, or soon does. The others refuse it from then on, and only they would say so. The node
 * starts all the same: a running one goes on over the links that it has, and alone it needs none.
 */
export function tellTermOf({ tls, authority }: NodeIdentity, nowMs: number, telemetry: Telemetry): void {
  const ends = [tls, authority].map(({ certificateDer }) => parseCertificate(certificateDer).notAfterMs);
  const notAfterMs = Math.min(...ends);
  const notAfter = new Date(notAfterMs).toISOString();
  if (nowMs > notAfterMs) telemetry.log("error", "certificate expired", { notAfter });
  else if (nowMs > notAfterMs - NOTICE_MS) telemetry.log("warn", "certificate expires", { notAfter });
}
