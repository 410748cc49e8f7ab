/**
 * Forgets what is kept for heights up to one, of a map that is filled in ascending order. Heights may be passed over, where a later one was certified or a
 * state taken over: to delete the one height that falls out would keep the others for ever.
 */
export function forgetUpTo(byHeight: Map<number, unknown>, height: number): void {
  for (const kept of byHeight.keys()) {
    if (kept > height) return;
    byHeight.delete(kept);
  }
}
