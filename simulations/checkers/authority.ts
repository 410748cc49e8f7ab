import type { CommandResult, Hash } from "#base";
import type { Intent } from "../workload.ts";

/** From harmless to grave; a grant covers its own level and those below. */
const RISKS = ["safe", "elevated", "critical"];

/**
 * Z1, by a model of its own that knows nothing of the state machine: at its place in the order, whoever is allowed something was registered,
 * and held a grant for that operation at that risk.
 */
export class AuthorityModel {
  readonly #registered = new Set<string>();
  /** The gravest risk that a service may take, by `service operation`. */
  readonly #granted = new Map<string, number>();

  /** Follows the results of a block in order; returns what was allowed without authority. */
  apply(results: readonly CommandResult[], askedFor: (command: Hash) => Intent | undefined): string[] {
    const wrong: string[] = [];
    for (const { command, outcome } of results) {
      const intent = askedFor(command);
      if (intent === undefined) wrong.push(`${command.slice(0, 8)} stands in a block, and no client sent it`);
      else if (outcome === "applied") this.#learn(intent);
      else if (outcome === "allowed" && !this.#mayDo(intent))
        wrong.push(`${intent.service} was allowed to ${intent.operation ?? "nothing"} without a grant`);
    }
    return wrong;
  }

  #learn({ kind, service, operation, risk }: Intent): void {
    if (kind === "register") this.#registered.add(service);
    if (kind !== "grant") return;
    const slot = `${service} ${operation}`;
    this.#granted.set(slot, Math.max(this.#granted.get(slot) ?? -1, RISKS.indexOf(risk ?? "")));
  }

  #mayDo({ kind, service, operation, risk }: Intent): boolean {
    const granted = this.#granted.get(`${service} ${operation}`) ?? -1;
    return kind === "authorize" && this.#registered.has(service) && granted >= RISKS.indexOf(risk ?? "");
  }
}
