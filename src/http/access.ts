import {
  type Command,
  fromBase64Url,
  type Hash,
  type Hasher,
  LIMITS,
  parseJson,
  QuorumgateError,
  type SignatureVerifier,
  type SignedCommand,
  signatureClaim,
  signedCommandFromJson,
} from "#base";
import type { LedgerState } from "#state";

/** Who reads: an operator or auditor of genesis, or a registered service. */
export interface Caller {
  readonly id: string;
  readonly role: "operator" | "auditor" | "service";
}

/** Kind of the signed statement that a reader sends along; it is never ordered. */
export const ACCESS_KIND = "access";

const SCHEME = "Signed ";
const TOKEN_LENGTH_MAX = 4_096;
const REMEMBERED_MAX = 1_000;

/** What access is checked against. */
export interface AccessOptions {
  readonly cluster: Hash;
  readonly state: () => LedgerState;
  readonly hasher: Hasher;
  readonly verifier: SignatureVerifier;
  readonly nowUs: () => number;
}

/**
 * Checks `Authorization: Signed <base64url of a SignedCommand's JSON>` of kind `access`: signed by the key of an operator or of a
 * registered, unrevoked service, for this cluster, valid for at most 120 s. What a reader may do is looked up on every call, so a revocation
 * ends its reads at once.
 */
export class Access {
  readonly #options: AccessOptions;
  /** Tokens whose signature verified, so that a page of reads costs one verification. */
  readonly #verified = new Map<string, Command>();

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** @throws {QuorumgateError} REQUEST_UNAUTHENTICATED, REQUEST_FORBIDDEN */
  check(authorization: string | undefined): Caller {
    if (authorization === undefined) throw unauthenticated("an access token is missing");
    if (!authorization.startsWith(SCHEME)) throw unauthenticated("the Authorization header has another scheme than `Signed`");
    const token = authorization.slice(SCHEME.length);
    const command = this.#verified.get(token) ?? this.#verify(token);
    const nowUs = this.#options.nowUs();
    if (command.expiresAtUs < nowUs || command.issuedAtUs > nowUs + LIMITS.clockSkewMaxUs)
      throw unauthenticated("the access token has expired");
    return this.#callerOf(command);
  }

  #verify(token: string): Command {
    if (token.length > TOKEN_LENGTH_MAX) throw unauthenticated("the access token is too long");
    const signed = readToken(this.#options.hasher, token);
    const { command } = signed;
    const lifetimeUs = command.expiresAtUs - command.issuedAtUs;
    if (command.kind !== ACCESS_KIND || command.cluster !== this.#options.cluster)
      throw unauthenticated("the token is not an access token of this cluster");
    if (lifetimeUs <= 0 || lifetimeUs > LIMITS.commandLifetimeMaxUs) throw unauthenticated("the access token is valid for too long");
    let genuine = false;
    this.#options.verifier.verify([signatureClaim(this.#options.hasher, signed)], ([verdict]) => {
      genuine = verdict === true;
    });
    if (!genuine) throw unauthenticated("the access token's signature does not verify");
    if (this.#verified.size >= REMEMBERED_MAX) this.#verified.clear();
    this.#verified.set(token, command);
    return command;
  }

  #callerOf(command: Command): Caller {
    const state = this.#options.state();
    const operator = state.operator(command.issuer);
    if (operator?.key === command.key) {
      return { id: operator.id, role: operator.roles.includes("operator") ? "operator" : "auditor" };
    }
    const service = state.service(command.issuer);
    if (service?.publicKey === command.key && service.revoked === undefined) return { id: service.id, role: "service" };
    throw new QuorumgateError("REQUEST_FORBIDDEN", "the token's issuer is not an operator or registered service with this key");
  }
}

function readToken(hasher: Hasher, token: string): SignedCommand {
  try {
    return signedCommandFromJson(hasher, parseJson(fromBase64Url(token)));
  } catch {
    throw unauthenticated("the access token is not a signed command");
  }
}

function unauthenticated(reason: string): QuorumgateError {
  return new QuorumgateError("REQUEST_UNAUTHENTICATED", reason);
}
