import { type Genesis, LIMITS, type Operator, type StateChange, type SubjectId } from "#base";
import { Bucket } from "./bucket.ts";
import { EvidenceBook } from "./evidence.ts";
import { GrantIndex } from "./grant-index.ts";
import { Nodes } from "./nodes.ts";
import { GRANT_CODEC, type GrantRecord, SERVICE_CODEC, type ServiceRecord } from "./records.ts";
import { type StateRules, stateRules } from "./rules.ts";

/** A page of services in ascending id. `next` is the `after` of the next page, absent on the last. */
export interface ServicePage {
  readonly items: readonly ServiceRecord[];
  readonly next?: string;
}

/** The buckets that commands write, the indexes that follow them, and what genesis fixes. */
export class LedgerStore {
  readonly services: Bucket<ServiceRecord>;
  readonly grants: Bucket<GrantRecord>;
  readonly nodes: Nodes;
  readonly evidence: EvidenceBook = new EvidenceBook();
  readonly genesis: Genesis;
  readonly rules: StateRules;
  #grantSequence = 0;
  readonly #grantIndex: GrantIndex;
  readonly #operators: ReadonlyMap<string, Operator>;
  readonly #issuers: ReadonlySet<string>;
  readonly #reservedIds: Set<string>;
  readonly #keys: Set<string>;
  #sortedIds: string[] | undefined;

  constructor(genesis: Genesis, rules: StateRules = stateRules) {
    const { members } = genesis.membership;
    this.genesis = genesis;
    this.rules = rules;
    this.#grantIndex = new GrantIndex(rules);
    const people = [...genesis.operators, ...genesis.issuers];
    this.#operators = new Map(genesis.operators.map((operator) => [operator.id, operator]));
    this.#issuers = new Set(genesis.issuers.map(({ id }) => id));
    this.#reservedIds = new Set([...members, ...people].map(({ id }) => id));
    this.#keys = new Set([...members.flatMap(({ keys }) => Object.values(keys) as string[]), ...people.map(({ key }) => key)]);
    this.services = new Bucket(SERVICE_CODEC, ({ before, after }) => {
      if (after !== undefined) this.#keys.add(after.publicKey);
      if (before === undefined) this.#sortedIds = undefined;
    });
    this.nodes = new Nodes(genesis, ({ id, keys }) => {
      this.#reservedIds.add(id);
      for (const key of Object.values(keys)) this.#keys.add(key);
    });
    this.grants = new Bucket(GRANT_CODEC, (row) => {
      this.#grantIndex.observe(row);
      this.#grantSequence = Math.max(this.#grantSequence, row.after?.sequence ?? 0);
    });
  }

  operator(id: string): Operator | undefined {
    return this.#operators.get(id);
  }

  isIssuer(id: string): boolean {
    return this.#issuers.has(id);
  }

  /** Ids of nodes present and past, operators and issuers: no service may be mistaken for one. */
  isReserved(id: string): boolean {
    return this.#reservedIds.has(id);
  }

  /** True for a key that has or had a role: of a node, operator, issuer or service. */
  isKeyUsed(key: string): boolean {
    return this.#keys.has(key);
  }

  service(id: string): ServiceRecord | undefined {
    return this.services.get(id);
  }

  grantsFor(service: string, domain: string, operation: string): readonly GrantRecord[] {
    return this.#grantIndex.ofOperation(service, domain, operation);
  }

  grantsOf(service: string): readonly GrantRecord[] {
    return this.#grantIndex.ofService(service);
  }

  /** Number of the newest grant. A restored ledger knows it too: a grant is only ever removed for a newer one. */
  get grantSequence(): number {
    return this.#grantSequence;
  }

  /** Ids of all services in ascending order; sorted again only after a registration. */
  serviceIds(): readonly string[] {
    this.#sortedIds ??= [...this.services.keys()].sort();
    return this.#sortedIds;
  }

  /** Services in ascending id, from the first id beyond `after`. */
  servicePage({ after, limit }: { readonly after?: string; readonly limit: number }): ServicePage {
    const ids = this.serviceIds();
    const from = after === undefined ? 0 : firstBeyond(ids, after);
    const items = ids.slice(from, from + limit).flatMap((id) => this.service(id) ?? []);
    const last = items.at(-1);
    return { items, ...(last !== undefined && from + limit < ids.length ? { next: last.id } : {}) };
  }

  /**
   * Makes room for one more grant, in place of the oldest that has ended where the limits ask for it.
   * False when all grants of the service, or for the operation, are still good.
   */
  makeRoom(draft: { readonly service: SubjectId; readonly domain: string; readonly operation: string; readonly timeUs: number }): boolean {
    const sameOperation = this.grantsFor(draft.service, draft.domain, draft.operation);
    const full = sameOperation.length >= LIMITS.grantsPerOperationMax;
    const all = full ? sameOperation : this.grantsOf(draft.service);
    if (!full && all.length < LIMITS.grantsPerServiceMax) return true;
    const ended = all.find((grant) => grant.revoked !== undefined || grant.notAfterUs <= draft.timeUs);
    if (ended === undefined) return false;
    this.grants.delete(ended.id);
    return true;
  }

  commit(): void {
    this.services.commit();
    this.grants.commit();
    this.nodes.commit();
    this.evidence.commit();
  }

  drop(): void {
    this.services.drop();
    this.grants.drop();
    this.nodes.drop();
    this.evidence.drop();
  }

  takeChanges(): StateChange[] {
    return [...this.services.takeChanges(), ...this.grants.takeChanges(), ...this.nodes.takeChanges(), ...this.evidence.takeChanges()];
  }
}

function firstBeyond(ids: readonly string[], after: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] ?? "") <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
