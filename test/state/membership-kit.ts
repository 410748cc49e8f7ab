import {
  type CanonicalObject,
  encodeUtf8,
  type Genesis,
  type Member,
  memberToCanonical,
  parseNodeId,
  parseSubjectId,
  type SignedCommand,
  toBase64Url,
} from "#base";
import { type ChangeDraft, changeToCanonical, type WeightChange } from "#state";
import { AUDITOR, DAY, keyOf, LedgerKit, makeGenesis, OPERATOR, START } from "./ledger-kit.ts";

export const OPERATORS: Genesis["operators"] = [
  OPERATOR,
  { id: parseSubjectId("oscar"), key: keyOf("oscar"), roles: ["operator"] },
  { id: parseSubjectId("otto"), key: keyOf("otto"), roles: ["operator"] },
  AUDITOR,
];

/** A cluster of four with three operators, and changes of its members. */
export class MembershipKit extends LedgerKit {
  constructor(change: Partial<Genesis> = {}) {
    super("pbft", { ...makeGenesis(), operators: OPERATORS, activationDelay: 3, ...change });
  }

  /** Approved by two of three operators unless told otherwise. */
  change(draft: ChangeDraft, options: { readonly by?: string; readonly approvedBy?: readonly string[] } = {}): SignedCommand {
    const { by = "olga", approvedBy = ["oscar"] } = options;
    const approvals = approvedBy.map((operator) => ({ operator, signature: toBase64Url(new Uint8Array(64)) }));
    return this.command({ kind: draft.kind, by, body: { change: changeToCanonical(this.cluster, draft), approvals } });
  }

  get frame(): { readonly epoch: number; readonly expiresAtUs: number } {
    return { epoch: this.state.membership().epoch, expiresAtUs: START + DAY };
  }

  learner(id: string, change: Partial<Member> = {}, trustDomain: string = this.genesis.trustDomain): ChangeDraft {
    return { kind: "learner.add", ...this.frame, nodeFile: nodeFile({ ...memberOf(id), ...change }, trustDomain) };
  }

  leave(id: string): ChangeDraft {
    return { kind: "learner.remove", ...this.frame, id: parseNodeId(id) };
  }

  members(change: {
    readonly add?: readonly (readonly [string, number])[];
    readonly remove?: readonly string[];
    readonly reweight?: readonly (readonly [string, number])[];
    readonly renew?: readonly Member[];
  }): ChangeDraft {
    const weights = (pairs: readonly (readonly [string, number])[] = []): WeightChange[] =>
      pairs.map(([id, weight]) => ({ id: parseNodeId(id), weight }));
    return {
      kind: "membership.change",
      ...this.frame,
      add: weights(change.add),
      remove: (change.remove ?? []).map(parseNodeId),
      reweight: weights(change.reweight),
      ...(change.renew === undefined ? {} : { renew: change.renew.map((member) => nodeFile(member, this.genesis.trustDomain)) }),
    };
  }

  /** Applies empty blocks until the change is active. */
  activate(): void {
    while (this.state.pendingChange() !== undefined) this.apply([]);
  }
}

/** A member whose keys follow from its id. */
export function memberOf(id: string): Member {
  const [vote, log, witness, gateway] = [keyOf(`${id} vote`), keyOf(`${id} log`), keyOf(`${id} witness`), keyOf(`${id} gateway`)];
  const keys = { vote, log, witness, gateway, tls: toBase64Url(encodeUtf8(`${id} tls`)) };
  return {
    id: parseNodeId(id),
    weight: 1,
    keys,
    peerAddress: "127.0.0.1:1",
    httpUrl: "http://127.0.0.1:2",
    tlsAuthority: toBase64Url(encodeUtf8(id)),
  };
}

/** The member with L and W keys that follow from its id and a number. */
export function renewed(member: Member, round = 1): Member {
  const [log, witness] = [keyOf(`${member.id} log ${round}`), keyOf(`${member.id} witness ${round}`)];
  return { ...member, keys: { ...member.keys, log, witness } };
}

function nodeFile(member: Member, trustDomain: string): CanonicalObject {
  const proof = toBase64Url(new Uint8Array(64));
  const proofs = { vote: proof, log: proof, witness: proof, gateway: proof, tls: proof };
  return { v: 1, trustDomain, member: memberToCanonical(member), certificate: "AAAA", time: String(START), proofs };
}
