const SLAB_BYTES = 16_384;
/** What is longer has an array of its own: it must not keep much more than itself in memory. */
const SHARED_BYTES_MAX = 2_048;

let slab = new Uint8Array(SLAB_BYTES);
let used = 0;

/**
 * A new array of zeros. Small ones are cut out of a larger one that others share, because to make and collect one of its own costs a microsecond,
 * ten times what is usually written into it. Nobody may therefore use its `buffer` without `byteOffset` and `length`.
 */
export function newBytes(length: number): Uint8Array {
  if (length > SHARED_BYTES_MAX) return new Uint8Array(length);
  if (used + length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    used = 0;
  }
  used += length;
  return slab.subarray(used - length, used);
}

/** A copy of the first bytes. */
export function copyBytes(bytes: Uint8Array, length: number): Uint8Array {
  const copy = newBytes(length);
  copy.set(bytes.subarray(0, length));
  return copy;
}
