import {
  type CertifiedPoint,
  type Clock,
  decodeSignedCommand,
  type Hash,
  type Hasher,
  hashLeaf,
  LIMITS,
  merkleRoot,
  type SignatureClaim,
  type SignatureVerifier,
  type SignedCommand,
  toHash,
} from "#base";
import type { Effect, Proposal, ProposalDraft } from "#consensus";
import type { Certifier } from "../ledger/certifier.ts";
import type { ReplicaRules } from "../rules.ts";
import type { Admission } from "./admission.ts";
import { leafKey, type Mempool } from "./mempool.ts";

/** What the leader may propose for. */
export type ProposalSlot = Omit<Extract<Effect, { type: "want-proposal" }>, "type">;

/** What making and checking proposals stands on. */
export interface ProposalsOptions {
  readonly hasher: Hasher;
  readonly verifier: SignatureVerifier;
  readonly clock: Clock;
  readonly mempool: Mempool;
  readonly admission: Admission;
  readonly certifier: Certifier;
  /** First height of the present epoch. */
  epochFirstHeight(): number;
  tipHeight(): number;
  readonly pipelineCommandsMin: number;
  readonly rules: Pick<ReplicaRules, "verifiesCommands" | "isTimely">;
}

/**
 * How strictly a proposal is checked: the clock only at its first proposal, signatures never again once a quorum voted. An earlier proposal is one
 * that a quorum need not have taken: it may lie as far back as it likes, but no further ahead than a first one.
 */
export type ProposalCheck = "first-proposal" | "earlier-proposal" | "re-proposal" | "decided";

interface ReadBatch {
  readonly commands: readonly SignedCommand[];
  readonly unverified: readonly SignedCommand[];
}

/** Batches that were read and checked, by digest, until they are applied. */
const READ_BATCHES_MAX = 16;

/** Fills drafts from the mempool, and checks proposals before the core votes for them. */
export class Proposals {
  readonly #options: ProposalsOptions;
  readonly #read = new Map<Hash, readonly SignedCommand[]>();

  constructor(options: ProposalsOptions) {
    this.#options = options;
  }

  /** A draft for the height out of what waits; a heartbeat when nothing does. */
  draft(slot: ProposalSlot): ProposalDraft {
    const { mempool, hasher, clock, certifier } = this.#options;
    const timeUs = Math.max(slot.timeAfterUs + 1, clock.nowUs());
    const issuedUntilUs = timeUs + LIMITS.clockSkewMaxUs;
    const selected = slot.empty === true ? [] : mempool.select({ underway: this.#underway(slot), issuedUntilUs });
    const certified: CertifiedPoint = certifier.certified?.point ?? { height: 0, size: 0, root: toHash(merkleRoot(hasher, [])) };
    return {
      height: slot.height,
      view: slot.view,
      timeUs,
      commandsRoot: toHash(
        merkleRoot(
          hasher,
          selected.map((item) => item.leaf),
        ),
      ),
      certified,
      certifiedProof: certifier.certified?.proof ?? new Uint8Array(0),
      batch: selected.map((item) => item.encoded),
    };
  }

  /** The commands of a block that is about to be applied. They were read when it was checked. */
  take(proposal: Proposal): readonly SignedCommand[] | undefined {
    const commands = this.#read.get(proposal.digest) ?? this.#readBatch(proposal)?.commands;
    this.#read.delete(proposal.digest);
    return commands;
  }

  /** Whether a replica may vote for the proposal: bytes, root, signatures, and for a first proposal the clock and what it says is certified. */
  validate(proposal: Proposal, check: ProposalCheck, done: (valid: boolean) => void): void {
    if (!this.#isTimely(proposal, check)) return done(false);
    const batch = this.#readBatch(proposal);
    if (batch === undefined) return done(false);
    if (check === "decided") {
      this.#remember(proposal.digest, batch.commands);
      return done(true);
    }
    if (!isIssued(batch.commands, proposal.header.timeUs)) return done(false);
    // Nothing is ordered on top of a handover that is not certified (docs/protocols/membership.md, M4).
    if (proposal.header.certified.height < this.#options.epochFirstHeight() - 1) return done(false);
    this.#verifyCommands(batch.unverified, (valid) => {
      if (!valid) return done(false);
      this.#options.certifier.checkClaim(proposal.header.certified, proposal.certifiedProof, (certified) => {
        if (certified) this.#remember(proposal.digest, batch.commands);
        done(certified);
      });
    });
  }

  /**
   * Whether there is something to propose for a slot: commands that are not underway, more of them the more blocks are underway (a block costs
   * the same however little is in it), or an older term's block that needs one of this term on top (raft).
   */
  hasWork(slot: ProposalSlot): boolean {
    const undecided = slot.undecided.filter(({ header }) => header.height > this.#options.tipHeight());
    const newest = undecided.at(-1);
    if (newest !== undefined && newest.header.originView < slot.view) return true;
    const { mempool } = this.#options;
    if (undecided.length === 0) return mempool.size > 0;
    if (mempool.size < undecided.length * this.#options.pipelineCommandsMin) return false;
    let underway = 0;
    for (const key of this.#underway(slot)) if (mempool.byLeaf(key) !== undefined) underway += 1;
    return mempool.size - underway >= undecided.length * this.#options.pipelineCommandsMin;
  }

  #underway({ undecided }: ProposalSlot): ReadonlySet<string> {
    const { hasher } = this.#options;
    return new Set(undecided.flatMap(({ batch }) => batch.map((encoded) => leafKey(hashLeaf(hasher, encoded)))));
  }

  #isTimely(proposal: Proposal, check: ProposalCheck): boolean {
    const { clock, rules } = this.#options;
    const aheadUs = proposal.header.timeUs - clock.nowUs();
    if (check === "first-proposal") return rules.isTimely(Math.abs(aheadUs));
    return check !== "earlier-proposal" || rules.isTimely(Math.max(0, aheadUs));
  }

  #readBatch(proposal: Proposal): ReadBatch | undefined {
    const { hasher, mempool } = this.#options;
    if (proposal.batch.length > LIMITS.blockCommandsMax) return undefined;
    const commands: SignedCommand[] = [];
    const unverified: SignedCommand[] = [];
    const leaves: Uint8Array[] = [];
    try {
      for (const encoded of proposal.batch) {
        const leaf = hashLeaf(hasher, encoded);
        leaves.push(leaf);
        // What waits here under the same leaf hash was read and verified when it arrived.
        const pooled = mempool.byLeaf(leafKey(leaf));
        const signed = pooled?.signed ?? decodeSignedCommand(hasher, encoded);
        commands.push(signed);
        if (pooled === undefined) unverified.push(signed);
      }
    } catch {
      return undefined;
    }
    return toHash(merkleRoot(hasher, leaves)) === proposal.header.commandsRoot ? { commands, unverified } : undefined;
  }

  #verifyCommands(commands: readonly SignedCommand[], done: (valid: boolean) => void): void {
    if (commands.length === 0 || !this.#options.rules.verifiesCommands) return done(true);
    const claims: SignatureClaim[] = [];
    try {
      for (const signed of commands) claims.push(...this.#options.admission.claimsOf(signed));
    } catch {
      return done(false);
    }
    this.#options.verifier.verify(claims, (verdicts) => done(verdicts.every(Boolean)));
  }

  #remember(digest: Hash, commands: readonly SignedCommand[]): void {
    this.#read.set(digest, commands);
    for (const old of this.#read.keys()) {
      if (this.#read.size <= READ_BATCHES_MAX) break;
      this.#read.delete(old);
    }
  }
}

/**
 * At the block's time every command is issued, but for the skew that clocks may have. One that is not would be refused without spending its id,
 * and could be ordered again with another answer: so no honest member votes for such a block.
 */
function isIssued(commands: readonly SignedCommand[], timeUs: number): boolean {
  return commands.every(({ command }) => command.issuedAtUs <= timeUs + LIMITS.clockSkewMaxUs);
}
