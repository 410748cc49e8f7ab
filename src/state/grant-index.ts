import type { GrantRecord } from "./records.ts";
import { type StateRules, stateRules } from "./rules.ts";

const NONE: readonly GrantRecord[] = [];

interface ServiceGrants {
  readonly all: GrantRecord[];
  readonly byOperation: Map<string, GrantRecord[]>;
}

/** Finds grants by service, domain and operation, always in the order in which they were made. Bounded by the limits on grants. */
export class GrantIndex {
  readonly #services = new Map<string, ServiceGrants>();
  readonly #isOrdered: boolean;

  constructor({ keepsGrantsInOrder }: Pick<StateRules, "keepsGrantsInOrder"> = stateRules) {
    this.#isOrdered = keepsGrantsInOrder;
  }

  /** Follows one row of the grants. */
  readonly observe = (row: { readonly before: GrantRecord | undefined; readonly after: GrantRecord | undefined }): void => {
    if (row.before !== undefined) this.#remove(row.before);
    if (row.after !== undefined) this.#add(row.after);
  };

  /** All grants of a service, ended ones included. */
  ofService(service: string): readonly GrantRecord[] {
    return this.#services.get(service)?.all ?? NONE;
  }

  /** Grants for exactly this operation; `*` finds those for every operation. */
  ofOperation(service: string, domain: string, operation: string): readonly GrantRecord[] {
    return this.#services.get(service)?.byOperation.get(`${domain}:${operation}`) ?? NONE;
  }

  #add(grant: GrantRecord): void {
    let grants = this.#services.get(grant.service);
    if (grants === undefined) {
      grants = { all: [], byOperation: new Map() };
      this.#services.set(grant.service, grants);
    }
    const operation = operationOf(grant);
    let list = grants.byOperation.get(operation);
    if (list === undefined) {
      list = [];
      grants.byOperation.set(operation, list);
    }
    for (const ordered of [grants.all, list]) {
      if (this.#isOrdered) insert(ordered, grant);
      else ordered.push(grant);
    }
  }

  #remove(grant: GrantRecord): void {
    const grants = this.#services.get(grant.service);
    const list = grants?.byOperation.get(operationOf(grant));
    if (grants === undefined || list === undefined) return;
    withdraw(grants.all, grant);
    withdraw(list, grant);
    if (list.length === 0) grants.byOperation.delete(operationOf(grant));
    if (grants.all.length === 0) this.#services.delete(grant.service);
  }
}

function operationOf(grant: GrantRecord): string {
  return `${grant.capability.domain}:${grant.capability.operation}`;
}

/** Restored grants come in any order; new ones always at the end. */
function insert(list: GrantRecord[], grant: GrantRecord): void {
  let at = list.length;
  while (at > 0 && (list[at - 1]?.sequence ?? 0) > grant.sequence) at--;
  list.splice(at, 0, grant);
}

function withdraw(list: GrantRecord[], grant: GrantRecord): void {
  const at = list.findIndex(({ id }) => id === grant.id);
  if (at >= 0) list.splice(at, 1);
}
