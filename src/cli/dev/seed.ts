import { type JsonValue, QuorumgateError } from "#base";
import { type Ed25519, loadSodium } from "#crypto";
import type { AuthorizationResponse, SecurityGateway, WriteResult } from "#gateway";
import { loadServiceKey, type ServiceKey } from "#identity";
import { attestedService } from "../attested-service.ts";
import { connectAs } from "../connection.ts";
import { engineOf } from "./create.ts";
import { DEMO_SERVICES, type DemoService, firstRequestOf, OPERATOR } from "./demo.ts";
import { type DevFolder, devPaths } from "./folder.ts";

const GRANTED_MS = 365 * 86_400_000;
/** Grants begin a little earlier than this machine's clock: agreed time may be behind it. */
const BACKDATED_MS = 60_000;
const POLL_MS = 25;
/** A status request that takes longer counts as no answer. */
const STATUS_MS = 2_000;

/** Puts the demonstration's services and grants into the ledger, as far as they are not there, and asks for decisions. */
export class Demonstration {
  readonly #cluster: DevFolder;
  readonly #ed25519: Ed25519;
  readonly #gateway: SecurityGateway;

  private constructor(cluster: DevFolder, ed25519: Ed25519, gateway: SecurityGateway) {
    this.#cluster = cluster;
    this.#ed25519 = ed25519;
    this.#gateway = gateway;
  }

  static async connect(cluster: DevFolder): Promise<Demonstration> {
    const ed25519 = await loadSodium();
    const load = (id: string): ServiceKey => loadServiceKey(ed25519, devPaths(cluster.folder).identity(id));
    const services = DEMO_SERVICES.map(({ id }) => load(id));
    const target = { urls: cluster.nodes.map(({ http }) => http), cluster: cluster.cluster };
    return new Demonstration(cluster, ed25519, await connectAs(ed25519, { target, identities: [load(OPERATOR), ...services] }));
  }

  /** Registers and grants what is missing. Returns how many services and grants there are now. */
  async seed(): Promise<{ readonly services: number; readonly grants: number }> {
    const present = await Promise.all(DEMO_SERVICES.map(({ id }) => this.#gateway.backend.service(id)));
    const missing = DEMO_SERVICES.filter((_service, at) => present[at] === undefined);
    await Promise.all(missing.map((service) => this.#register(service)));
    // A grant needs its service in the ledger, so this is a second round.
    const ungranted = DEMO_SERVICES.filter((_service, at) => grantCount(present[at]) === 0);
    await Promise.all(ungranted.flatMap((service) => service.grants.map((capability) => this.#grant(service.id, capability))));
    return { services: DEMO_SERVICES.length, grants: DEMO_SERVICES.reduce((sum, { grants }) => sum + grants.length, 0) };
  }

  /** The cluster's policy file, as a node gives it out. */
  policy(): Promise<string> {
    return this.#gateway.policy();
  }

  /** Asks for the first decision. */
  decide(): Promise<AuthorizationResponse> {
    return this.#gateway.authorizeOperation(firstRequestOf(engineOf(this.#cluster)));
  }

  close(): Promise<void> {
    return this.#gateway.stop();
  }

  async #register({ id, institution, role }: DemoService): Promise<void> {
    const { folder, cluster } = this.#cluster;
    const load = (name: string): ServiceKey => loadServiceKey(this.#ed25519, devPaths(folder).identity(name));
    const identity = await attestedService(this.#ed25519, {
      cluster,
      service: load(id),
      issuer: load(institution),
      role,
      claims: { institution },
    });
    expectApplied(await this.#gateway.registerService(identity, true), `registering ${id}`);
  }

  async #grant(service: string, capability: DemoService["grants"][number]): Promise<void> {
    const now = Date.now();
    const request = { service, capability, notBeforeMs: now - BACKDATED_MS, notAfterMs: now + GRANTED_MS };
    expectApplied(await this.#gateway.createGrant(request, OPERATOR), `granting to ${service}`);
  }
}

/** Waits until every node has links to all others and takes part. @throws {QuorumgateError} QUORUM_UNAVAILABLE after the given time */
export async function waitForLinks(cluster: DevFolder, waitMs: number): Promise<void> {
  const ed25519 = await loadSodium();
  const reader = loadServiceKey(ed25519, devPaths(cluster.folder).identity(OPERATOR));
  const deadline = performance.now() + waitMs;
  await Promise.all(
    cluster.nodes.map(async ({ http, id }) => {
      const gateway = await connectAs(ed25519, {
        target: { urls: [http], cluster: cluster.cluster },
        identities: [reader],
        timeoutMs: STATUS_MS,
      });
      try {
        await untilLinked(gateway, { id, deadline });
      } finally {
        await gateway.stop();
      }
    }),
  );
}

async function untilLinked(gateway: SecurityGateway, node: { readonly id: string; readonly deadline: number }): Promise<void> {
  for (;;) {
    const { members, mode } = await gateway.status();
    if (mode === "participating" && members.every(({ connected }) => connected)) return;
    if (performance.now() > node.deadline) {
      const away = members.filter(({ connected }) => !connected).map(({ id }) => id);
      throw new QuorumgateError("QUORUM_UNAVAILABLE", `${node.id} is ${mode} and has no link to ${away.join(", ") || "nobody"}`);
    }
    await new Promise((settle) => setTimeout(settle, POLL_MS));
  }
}

function grantCount(service: JsonValue | undefined): number {
  const record =
    typeof service === "object" && service !== null && "grants" in service ? service["grants" as keyof typeof service] : undefined;
  return Array.isArray(record) ? record.length : 0;
}

function expectApplied({ outcome, reason }: WriteResult, what: string): void {
  if (outcome !== "applied") throw new QuorumgateError("DEV_COMMAND_FAILED", `${what}: ${outcome} (${reason})`);
}
