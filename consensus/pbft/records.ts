import type { Hash } from "#base";

/** The new-view by which the highest view is established: one, whatever its height (rule G2a). */
export const NEW_VIEW_KEY = "new-view";

/** An accepted proposal: every body that this node voted for stays until its height is decided (rule G2b). */
export function proposalKey(slot: { readonly height: number; readonly digest: Hash }): string {
  return `proposal/${slot.height}/${slot.digest}`;
}

/** The prepared certificate of highest view at a height. */
export function preparedKey(height: number): string {
  return `prepared/${height}`;
}

/** What a key is of; the height of a new-view does not count. */
export function readKey(key: string): { readonly kind: string; readonly height: number } {
  const [kind = "", height = "0"] = key.split("/");
  return { kind, height: Number(height) };
}
