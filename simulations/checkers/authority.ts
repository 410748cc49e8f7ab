import type { Hash } from "#base";
import type { OrderedRecord } from "#replica";
import type { Intent } from "../workload.ts";

/** From harmless to grave; a grant covers its own level and those below. */
const RISKS = ["safe", "elevated", "critical"];

/**
 * Z1, by a model of its own that knows nothing of the state machine: at its place in the order, whoever is allowed something was registered,
 * and held a grant for that operation at that risk. Returns what was allowed without.
 */
export function withoutAuthority(records: readonly OrderedRecord[], askedFor: (command: Hash) => Intent | undefined): string[] {
  const model = new AuthorityModel();
  return records.flatMap(({ command, outcome }) => {
    const intent = askedFor(command);
    if (intent !== undefined && outcome === "applied") model.learn(intent, command);
    if (outcome !== "allowed" || (intent !== undefined && model.mayDo(intent))) return [];
    return [`${command.slice(0, 8)} was allowed without a grant: ${JSON.stringify(intent)}`];
  });
}

class AuthorityModel {
  readonly #registered = new Set<string>();
  /** Risks that were granted and not taken back, by `service operation` and by what each grant is called. */
  readonly #granted = new Map<string, Map<Hash, number>>();

  learn({ kind, service, operation, risk, grant }: Intent, command: Hash): void {
    if (kind === "register") this.#registered.add(service);
    if (kind === "revoke" && grant !== undefined) for (const grants of this.#granted.values()) grants.delete(grant);
    if (kind !== "grant") return;
    const slot = `${service} ${operation}`;
    this.#granted.set(slot, (this.#granted.get(slot) ?? new Map<Hash, number>()).set(command, RISKS.indexOf(risk ?? "")));
  }

  mayDo({ kind, service, operation, risk }: Intent): boolean {
    const granted = Math.max(-1, ...(this.#granted.get(`${service} ${operation}`)?.values() ?? []));
    return kind === "authorize" && this.#registered.has(service) && granted >= RISKS.indexOf(risk ?? "");
  }
}
