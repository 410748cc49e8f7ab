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
    if (intent !== undefined && outcome === "applied") model.learn(intent);
    if (outcome !== "allowed" || (intent !== undefined && model.mayDo(intent))) return [];
    return [`${command.slice(0, 8)} was allowed without a grant: ${JSON.stringify(intent)}`];
  });
}

class AuthorityModel {
  readonly #registered = new Set<string>();
  /** The gravest risk that a service may take, by `service operation`. */
  readonly #granted = new Map<string, number>();

  learn({ kind, service, operation, risk }: Intent): void {
    if (kind === "register") this.#registered.add(service);
    if (kind !== "grant") return;
    const slot = `${service} ${operation}`;
    this.#granted.set(slot, Math.max(this.#granted.get(slot) ?? -1, RISKS.indexOf(risk ?? "")));
  }

  mayDo({ kind, service, operation, risk }: Intent): boolean {
    const granted = this.#granted.get(`${service} ${operation}`) ?? -1;
    return kind === "authorize" && this.#registered.has(service) && granted >= RISKS.indexOf(risk ?? "");
  }
}
