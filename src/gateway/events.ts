import type { CertifiedPoint, CommandResult, EntryDraft } from "#base";

/** An entry as it was applied on this node. */
export interface EntryEvent {
  readonly seq: number;
  readonly height: number;
  readonly timeMs: number;
  readonly entry: EntryDraft;
}

/** What a gateway with a node in its process tells, in the order of the ledger. */
export interface GatewayEvents {
  block: (event: { readonly height: number; readonly timeMs: number; readonly results: readonly CommandResult[] }) => void;
  decision: (event: EntryEvent) => void;
  registration: (event: EntryEvent) => void;
  revocation: (event: EntryEvent) => void;
  grant: (event: EntryEvent) => void;
  checkpoint: (point: CertifiedPoint) => void;
  evidence: (event: { readonly offender: string; readonly kind: string }) => void;
  halted: (event: { readonly reason: string }) => void;
}
