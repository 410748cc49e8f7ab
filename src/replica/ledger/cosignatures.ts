import { type Cosignature, cosignatureSeconds, type LogPoint } from "#audit";
import { ByteReader, ByteWriter, LIMITS, parseNodeId } from "#base";

/** Cosignatures as proposals and offers carry them: u8 count ‖ (node ‖ L signature ‖ W signature)… */
export function encodeCosignatures(cosignatures: readonly Cosignature[]): Uint8Array {
  const writer = new ByteWriter().u8(cosignatures.length);
  for (const { node, logSignature, witnessSignature } of cosignatures) writer.text(node).raw(logSignature).raw(witnessSignature);
  return writer.finish();
}

/**
 * The cosignatures of a point, of distinct nodes; undefined for what does not read: hostile bytes prove nothing. Whose they are, and whether
 * they are good, is not looked at.
 */
export function decodeCosignatures(proof: Uint8Array, point: Pick<LogPoint, "size" | "root" | "timeUs">): Cosignature[] | undefined {
  try {
    const reader = new ByteReader(proof);
    const count = reader.u8();
    if (count > LIMITS.membersMax) return undefined;
    const cosignatures = Array.from({ length: count }, () => ({
      node: parseNodeId(reader.text(63)),
      size: point.size,
      root: point.root,
      seconds: cosignatureSeconds(point),
      logSignature: reader.raw(64),
      witnessSignature: reader.raw(64),
    }));
    reader.end();
    return new Set(cosignatures.map((item) => item.node)).size === count ? cosignatures : undefined;
  } catch {
    return undefined;
  }
}
