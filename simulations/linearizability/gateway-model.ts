import type { Hash, SubjectId } from "#base";
import type { Intent, SeenService } from "../workload.ts";
import type { SequentialModel } from "./history.ts";

/** A command as one operation of its client. */
export interface ClientRequest extends Intent {
  /** Its hash: what a grant is called by. */
  readonly command: Hash;
  /** Another command of the history has its id too. */
  readonly isContested: boolean;
}

/** A linearizable read of a service. */
export interface ServiceRead {
  readonly kind: "read";
  readonly service: SubjectId;
}

/** What the client was told, or shown. */
export interface ClientAnswer {
  readonly outcome: string;
  readonly code: string;
  readonly seen?: SeenService;
}

interface Granted {
  readonly operation: string;
  readonly level: number;
}

/** What clients can see of one service. */
export interface ServiceView {
  /** Until when it is registered, microseconds; undefined before it was. */
  readonly untilUs: number | undefined;
  readonly grants: ReadonlyMap<Hash, Granted>;
  readonly revoked: ReadonlySet<Hash>;
  /** Which command took an id, of those that several commands want. */
  readonly spent: ReadonlyMap<string, string>;
}

/** From harmless to grave; a grant covers its own level and those below. */
const RISKS = ["safe", "elevated", "critical"];
/** Refusals that agreed time is the reason for: the model has no clock, and takes any of them for possible, without effect. */
const BY_TIME: ReadonlySet<string> = new Set(["IDENTITY_EXPIRED", "AUTHZ_GRANT_EXPIRED"]);

/**
 * The gateway as its clients see it, one service at a time, by a model of its own that knows nothing of the state machine: an id is spent once,
 * a grant counts from its acknowledgement until that of its revocation, and whatever is granted is allowed.
 */
export function gatewayModel({
  toleratesLies,
}: {
  readonly toleratesLies: boolean;
}): SequentialModel<ServiceView, ClientRequest | ServiceRead, ClientAnswer> {
  return {
    initial: { untilUs: undefined, grants: new Map(), revoked: new Set(), spent: new Map() },
    partition: ({ service }) => service,
    readsOnly: (request) => request.kind === "read" || (request.kind === "authorize" && !request.isContested),
    key: ({ untilUs, grants, revoked, spent }) =>
      [untilUs ?? "", [...grants.keys()].sort(), [...revoked].sort(), [...spent].map(String).sort()].join(";"),
    step: (view, request, answer) => {
      if (request.kind === "read") return answer === undefined || isWhatIsSeen(view, answer.seen) ? view : undefined;
      // Too early or too late for its id to be spent.
      if (answer?.code === "COMMAND_EXPIRED") return view;
      const { identity, command, isContested } = request;
      if (!isContested) return effect(view, request, answer, toleratesLies);
      const isSpent = (view.spent.get(identity) ?? command) !== command;
      if (isSpent !== (answer?.code === "COMMAND_REPLAYED")) return isSpent && answer === undefined ? view : undefined;
      if (isSpent) return view;
      // Whatever is said to it, and whoever sent it: its id is spent.
      const after = effect(view, request, answer, toleratesLies);
      if (after === undefined) return undefined;
      const { untilUs, grants, revoked, spent } = after;
      return { untilUs, grants, revoked, spent: new Map(spent).set(identity, command) };
    },
  };
}

function isWhatIsSeen({ untilUs, grants, revoked }: ServiceView, seen: SeenService | undefined): boolean {
  const live = [...grants.keys()].filter((grant) => !revoked.has(grant));
  return (
    seen !== undefined &&
    seen.untilUs === untilUs &&
    seen.grants.length === live.length &&
    live.every((grant) => seen.grants.includes(grant))
  );
}

/** The view after a command whose id is its own; undefined when this answer cannot be one. */
function effect(
  view: ServiceView,
  request: ClientRequest,
  answer: ClientAnswer | undefined,
  toleratesLies: boolean,
): ServiceView | undefined {
  if (answer !== undefined && BY_TIME.has(answer.code)) return view;
  switch (request.kind) {
    case "register":
      return onRegister(view, request, answer);
    case "grant":
      return onGrant(view, request, answer);
    case "revoke":
      return onRevoke(view, request, answer);
    case "authorize":
      return answer === undefined || answer.outcome === decisionOn(view, request, toleratesLies) ? view : undefined;
    default:
      // What the operator governs is not what a service can see.
      return view;
  }
}

/** A renewal lasts longer than what it renews, or is refused. */
function onRegister(view: ServiceView, { untilUs = 0 }: ClientRequest, answer: ClientAnswer | undefined): ServiceView | undefined {
  const isLonger = untilUs > (view.untilUs ?? -1);
  if (answer !== undefined && isLonger !== (answer.outcome === "applied")) return undefined;
  if (!isLonger) return view;
  const { grants, revoked, spent } = view;
  return { untilUs, grants, revoked, spent };
}

function onGrant(view: ServiceView, request: ClientRequest, answer: ClientAnswer | undefined): ServiceView | undefined {
  const { command, operation = "", risk = "" } = request;
  const isKnown = view.untilUs !== undefined;
  if (answer !== undefined && isKnown !== (answer.outcome === "applied")) return undefined;
  if (!isKnown) return view;
  const { untilUs, grants, revoked, spent } = view;
  return { untilUs, grants: new Map(grants).set(command, { operation, level: RISKS.indexOf(risk) }), revoked, spent };
}

function onRevoke(view: ServiceView, { grant }: ClientRequest, answer: ClientAnswer | undefined): ServiceView | undefined {
  const live = grant !== undefined && view.grants.has(grant) && !view.revoked.has(grant) ? grant : undefined;
  if (answer !== undefined && (live !== undefined) !== (answer.outcome === "applied")) return undefined;
  if (live === undefined) return view;
  const { untilUs, grants, revoked, spent } = view;
  return { untilUs, grants, revoked: new Set(revoked).add(live), spent };
}

function decisionOn(view: ServiceView, { operation, risk = "" }: ClientRequest, toleratesLies: boolean): string {
  if (view.untilUs === undefined) return "refused";
  const level = RISKS.indexOf(risk);
  const isGranted = [...view.grants].some(([id, grant]) => !view.revoked.has(id) && grant.operation === operation && grant.level >= level);
  // An engine that tolerates crashes alone decides nothing grave.
  return isGranted && (toleratesLies || risk !== "critical") ? "allowed" : "denied";
}
