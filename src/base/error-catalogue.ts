/** One line of the catalogue. `status` is HTTP; `title` says what happened; `hint` what to do. */
export interface CatalogueEntry {
  readonly status: number;
  readonly title: string;
  readonly hint: string;
}

/** Every code, once: [HTTP status, title, hint]. Types, docs/errors.md, problem details and `quorumgate explain CODE` are made from it. */
export const ERROR_ROWS = {
  FORMAT_UTF8_INVALID: [400, "The bytes are not strict UTF-8", "Send UTF-8 without a byte order mark, overlong forms or surrogates."],
  FORMAT_JSON_INVALID: [400, "The text is not JSON", "Send one JSON value as of RFC 8259."],
  FORMAT_NOT_CANONICAL: [
    400,
    "The bytes are not in canonical encoding",
    "Encode with RFC 8785, integers only, no duplicate keys; the library's encodeCanonical does.",
  ],
  FORMAT_TOO_DEEP: [400, "The value is nested too deeply", "Keep nesting at 16 levels or fewer."],
  FORMAT_TOO_LARGE: [
    413,
    "The message or a part of it is too large",
    "Stay within the limits in docs/FORMATS.md; send several smaller requests.",
  ],
  FORMAT_TRUNCATED: [400, "The bytes end too early", "Send the whole message."],
  FORMAT_INTEGER_RANGE: [
    400,
    "An integer is out of range",
    "Use integers within ±(2^53−1); send larger ones as decimal strings where the format says so.",
  ],
  FORMAT_ENCODING_INVALID: [
    400,
    "A base64, base64url or hexadecimal text is not strict",
    "Use lowercase hexadecimal and unpadded base64url, without spare bits.",
  ],
  FORMAT_ID_INVALID: [
    400,
    "An identifier breaks its grammar",
    "Service ids use letters, digits, dot, underscore and hyphen, at most 128; node ids lowercase letters, digits and hyphen, at most 63.",
  ],
  FORMAT_HASH_INVALID: [400, "A hash is not 64 lowercase hexadecimal characters", "Send the SHA-256 digest in lowercase hexadecimal."],
  FORMAT_KEY_INVALID: [
    400,
    "A public key is not well formed",
    "Send the 32 bytes of the Ed25519 public key as 43 characters of base64url.",
  ],
  FORMAT_SHAPE_INVALID: [
    400,
    "The message has a missing, unknown or mistyped field",
    "Compare with the format in docs/API.md; unknown fields are refused.",
  ],
  REQUEST_CONTENT_TYPE: [415, "The content type is not supported", "Send application/json."],
  REQUEST_TIMEOUT: [408, "The request did not arrive in time", "Send headers and body within the limits."],
  REQUEST_HEADERS_TOO_LARGE: [431, "The header of the request is too large", "Send fewer and shorter header fields: 16 KiB in all."],
  REQUEST_NOT_FOUND: [404, "There is nothing at this address", "See /v1/openapi.json for the addresses."],
  REQUEST_RATE_LIMITED: [429, "Too many requests from this caller", "Slow down and send again after the time in Retry-After."],
  REQUEST_CONFLICT: [409, "The same Idempotency-Key was used with another body", "Use a new key for a new request."],
  REQUEST_UNAUTHENTICATED: [
    401,
    "The caller did not prove who it is",
    "Send a signed command, or a signed access token in the Authorization header.",
  ],
  REQUEST_FORBIDDEN: [403, "The caller may not ask this", "Ask an operator for the role that the address needs."],
  REQUEST_HOST: [421, "The Host or Origin header is not this node's", "Call the node by its configured address."],
  COMMAND_SIGNATURE_INVALID: [
    401,
    "The command's signature does not verify",
    "Sign the canonical bytes with the key that the command names, purpose `command`.",
  ],
  COMMAND_EXPIRED: [
    400,
    "The command has expired or is not yet valid",
    "Check the clock; send within 120 s of issuedAt. What became of one that was sent before is looked up by its id.",
  ],
  COMMAND_WINDOW: [400, "The command is valid for too long", "Keep expiresAt within 120 s of issuedAt."],
  COMMAND_REPLAYED: [
    409,
    "The command's id was used before with other bytes",
    "Use a fresh random id for each command; this one never takes effect.",
  ],
  COMMAND_DUPLICATE: [409, "The same command was decided before", "Its first answer stands: look it up by its hash."],
  COMMAND_CLUSTER: [400, "The command is for another cluster", "Use the cluster id that `quorumgate status` prints."],
  COMMAND_KIND_UNKNOWN: [400, "The command's kind is not known", "See docs/API.md for the kinds; the cluster may run an older version."],
  COMMAND_UNKNOWN: [
    404,
    "No command or decision with this id is recorded",
    "Check the id; an unanswered command can be sent again until it expires.",
  ],
  IDENTITY_UNKNOWN: [404, "The identity is not registered", "Register it first: `quorumgate service register`."],
  IDENTITY_EXISTS: [409, "The identity is registered already", "Renew it with the registered key, or choose another id."],
  IDENTITY_KEY_MISMATCH: [403, "The key is not the one registered for this identity", "Sign with the registered key."],
  IDENTITY_KEY_REUSED: [409, "The key is registered already, for this or another role", "Make a new key; one key has one role."],
  IDENTITY_REVOKED: [403, "The identity has been revoked", "Ask an operator; a revoked id is not used again."],
  IDENTITY_EXPIRED: [403, "The identity's attestation has expired or is not yet valid", "Renew it with a fresh attestation."],
  IDENTITY_ISSUER_UNKNOWN: [
    403,
    "The attestation's issuer is not trusted by this cluster",
    "Use an issuer that genesis or governance names.",
  ],
  IDENTITY_ATTESTATION_INVALID: [
    403,
    "The attestation does not verify",
    "Have the issuer sign the canonical attestation body for this id and key.",
  ],
  IDENTITY_SIGNER_MISSING: [
    400,
    "There is no signer for this identity",
    "Pass `signers`, or create the identity with createServiceIdentity.",
  ],
  IDENTITY_ROLE_MISSING: [403, "The caller lacks the role", "Use an identity with the operator role."],
  AUTHZ_NO_GRANT: [403, "No grant covers the capability", "Ask an operator for a grant: `quorumgate grant`."],
  AUTHZ_GRANT_EXPIRED: [403, "The grant that covers the capability has expired or is not yet valid", "Ask an operator for a new grant."],
  AUTHZ_GRANT_REVOKED: [403, "The grant that covers the capability was revoked", "Ask an operator for a new grant."],
  AUTHZ_GRANT_UNKNOWN: [404, "There is no such grant", "List the grants of the service: `quorumgate service show`."],
  AUTHZ_GRANT_LIMIT: [409, "The service has as many grants as it may have", "Revoke grants that are no longer needed, or widen one."],
  AUTHZ_ENGINE_TOO_WEAK: [
    403,
    "The cluster's engine tolerates crashes only, which is too little for the request's risk",
    "Ask a cluster of pbft or tendermint; raft decides up to elevated risk: one lying node could forge its decisions.",
  ],
  AUTHZ_SCOPE_EXCEEDED: [403, "The request's scope is wider than the grant's", "Ask for a narrower scope, or for a wider grant."],
  AUTHZ_RISK_EXCEEDED: [403, "The request's risk is above the grant's", "Ask for a grant of that risk level."],
  AUTHZ_RESOURCE_DENIED: [403, "A resource is outside the grant", "Ask only for resources that the grant names, or for a wider grant."],
  AUTHZ_TEMPORAL_DENIED: [403, "The temporal pattern is not granted", "Ask for a pattern that the grant names."],
  AUTHZ_CONSTRAINT_EXCEEDED: [
    403,
    "A constraint of the request exceeds the grant's",
    "Lower data volume or rate, or ask for a wider grant.",
  ],
  AUTHZ_CONSENT_MISSING: [403, "The grant requires the user's consent", "Obtain consent and set constraints.userConsent."],
  AUTHZ_AUDIT_LEVEL: [403, "The grant requires a higher audit level", "Raise constraints.auditLevel to the grant's."],
  QUORUM_UNAVAILABLE: [
    503,
    "No quorum answered in time; the outcome is unknown",
    "Look the command up by its id, or send the same bytes again, until it expires.",
  ],
  QUORUM_BUSY: [503, "The node has too much work waiting", "Send the same bytes again after a moment, or to another node."],
  QUORUM_NODE_RECOVERING: [
    503,
    "This node is catching up and does not take part yet",
    "Ask another node, or wait; `quorumgate status` says how far it is.",
  ],
  QUORUM_STOPPED: [503, "The node is stopping or has halted", "Ask another node; `quorumgate doctor` says why it halted."],

  CONSENSUS_MESSAGE_INVALID: [400, "A consensus message is malformed", "The peer that sent it is faulty or out of date."],
  MEMBERSHIP_INVALID: [
    400,
    "The membership breaks a rule",
    "Use distinct ids and keys, positive integer weights, and no weight of a third or more unless zero fault tolerance is declared.",
  ],
  MEMBERSHIP_STALE: [
    409,
    "The change was made for another epoch, or its approvals have expired",
    "List the members again, and have the operators approve a new change: `quorumgate member propose`.",
  ],
  MEMBERSHIP_IN_FLIGHT: [
    409,
    "Another change of members is committed and not yet active",
    "Wait some heights, then propose the change against the new epoch.",
  ],
  MEMBERSHIP_NODE_UNKNOWN: [404, "The node is neither a member nor a learner, as the change needs it", "See `quorumgate member list`."],
  MEMBERSHIP_APPROVALS: [
    403,
    "Too few operators approved the change",
    "More than half of the operators of genesis have to approve: `quorumgate member approve`.",
  ],
  EVIDENCE_INVALID: [
    400,
    "The evidence proves nothing",
    "Both statements have to be signed by the accused under its key of the epoch, and no honest node may make both.",
  ],
  EVIDENCE_KNOWN: [409, "The ledger holds this evidence, or enough of its kind", "Nothing is to be done: see `quorumgate status`."],
  EVIDENCE_STALE: [409, "The evidence is of an epoch that ended long ago", "Only the present epoch and the one before it count."],
  GENESIS_INVALID: [400, "The genesis file is not valid", "Assemble it with `quorumgate cluster genesis`."],
  CONFIG_INVALID: [
    400,
    "The configuration is not valid",
    "Correct what the message names; docs/OPERATIONS.md describes the settings, and unknown ones are refused.",
  ],
  AUDIT_ENTRY_TOO_LARGE: [413, "The audit entry would exceed 65,535 bytes", "Shorten claims, resources or purpose."],
  AUDIT_RANGE: [416, "The log has no such entries", "Ask for a range below the size of the last checkpoint."],
  AUDIT_NOT_CERTIFIED: [503, "The entry is not yet covered by a quorum's checkpoint", "Ask again in a moment."],
  VERIFY_ALTERED: [422, "The evidence was altered", "Do not rely on it; ask another node for the receipt."],
  VERIFY_TRUNCATED: [
    422,
    "The evidence ends too early or goes back",
    "Keep the newest checkpoint that you hold, and ask other nodes for the rest.",
  ],
  VERIFY_EVIDENCE: [422, "Evidence is missing", "Export the log again, and compare with the folder layout in docs/VERIFY.md."],
  VERIFY_FORK: [
    422,
    "A quorum signed two logs that contradict each other",
    "Keep both checkpoints: together they prove that a third or more of the weight lied.",
  ],
  VERIFY_QUORUM: [422, "The signatures do not make a quorum", "Ask for a receipt again once more nodes have cosigned."],
  VERIFY_SIGNER: [422, "A signer is unknown to the policy", "Use the policy of this cluster and epoch."],
  VERIFY_MALFORMED: [422, "The evidence is not well formed", "Ask another node for the receipt."],
  STORAGE_FAILED: [
    500,
    "The disk refused to read or write; the node has stopped",
    "Check space, rights and health of the disk, then start the node again.",
  ],
  STORAGE_CORRUPT: [
    500,
    "Stored data does not pass its checks",
    "Keep the folder for examination, move it away, and start the node: it recovers from its peers.",
  ],
  STORAGE_FOREIGN: [
    409,
    "The data folder or the anchor is of another node, or of another cluster",
    "Compare data, anchor, keys and genesisHash in the node's configuration: each node has a data folder and an anchor of its own.",
  ],
  STORAGE_LOCKED: [
    409,
    "Another process has the data folder open",
    "Stop the other node process, or give this one a folder of its own; two nodes never share one.",
  ],
  TRANSPORT_LISTEN_FAILED: [
    500,
    "The node cannot listen on its address for peers",
    "Check that the address is this machine's and that no other process uses the port.",
  ],
  TRANSPORT_PEER_REFUSED: [
    403,
    "The peer is not the member that it says it is",
    "Check the membership's TLS key and the peer's certificate.",
  ],
  SYNC_OFFER_INVALID: [
    400,
    "An offer of a state does not follow from what a quorum signed",
    "The peer is faulty or out of date; another one is asked.",
  ],
  SYNC_PART_INVALID: [
    400,
    "A part of a state or log is not what it is said to be",
    "The peer is faulty or out of date; another one is asked.",
  ],
  TRANSPORT_FRAME_INVALID: [400, "A frame breaks the framing rules", "The peer is faulty or out of date."],
  DEV_COMMAND_FAILED: [
    400,
    "The development cluster refused the command",
    "See `quorumgate status` and `quorumgate dev --help`; where none runs, start one with `quorumgate dev`.",
  ],
  CRYPTO_ALGORITHM_UNKNOWN: [400, "The algorithm is not known here", "Use one that HashingUtils lists; HMAC is not defined over SHAKE."],
  CRYPTO_LENGTH_INVALID: [400, "A key, nonce, salt or output has a wrong length", "Use the length that the function documents."],
  CRYPTO_KEY_REJECTED: [
    400,
    "The public key has no use for key agreement",
    "Ask the other side for another key: this one is of small order.",
  ],
  CRYPTO_DECRYPTION_FAILED: [400, "The ciphertext does not authenticate", "Check the key; if it is right, the bytes were altered."],
  CRYPTO_UNAVAILABLE: [500, "The cryptographic library does not work", "Reinstall the dependencies: `npm ci`."],
  SECRET_FILE_UNSAFE: [
    500,
    "A secret file can be read by others",
    "Make it yours alone: `chmod 600 FILE`; then consider the key known and replace it.",
  ],
  SECRET_FILE_UNREADABLE: [500, "A secret file is missing or cannot be read", "Check the path and its owner."],
  IDENTITY_NODE_FILE_INVALID: [
    400,
    "The node file does not prove what it says",
    "Ask the institution for a new node.json: `quorumgate node init`.",
  ],
  IDENTITY_FOLDER_INVALID: [400, "The identity folder is not whole", "Make a new one, or restore it from its backup."],
  INTERNAL_ERROR: [500, "Something unexpected failed", "Report it with the log lines of this request."],
} as const;

/** A stable error code, `<AREA>_<WHAT>`. */
export type ErrorCode = keyof typeof ERROR_ROWS;

/** What the catalogue says of a code. */
export function describeError(code: ErrorCode): CatalogueEntry {
  const [status, title, hint] = ERROR_ROWS[code];
  return { status, title, hint };
}

/** True for a code of the catalogue. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_ROWS, text);
}
