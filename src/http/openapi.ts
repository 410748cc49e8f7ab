import { LIMITS, VERSION } from "#base";

const signedCommand = {
  type: "object",
  additionalProperties: false,
  required: ["command", "signature"],
  properties: {
    command: { type: "string", contentEncoding: "base64url", description: "Canonical bytes of the command." },
    signature: {
      type: "object",
      additionalProperties: false,
      required: ["kid", "val"],
      properties: {
        kid: { type: "string", description: "The command's key." },
        val: { type: "string", contentEncoding: "base64url", description: "64 bytes of Ed25519, purpose command or command-batch." },
        batch: {
          type: "object",
          additionalProperties: false,
          required: ["size", "index", "path"],
          properties: { size: { type: "integer" }, index: { type: "integer" }, path: { type: "array", items: { type: "string" } } },
        },
      },
    },
  },
} as const;

const problem = { description: "A problem as of RFC 9457, with code and hint.", content: { "application/problem+json": {} } } as const;
const json = (description: string): object => ({ description, content: { "application/json": {} } });
const text = (description: string): object => ({ description, content: { "text/plain": {} } });
const read = (summary: string, ok: object, parameters: readonly object[] = []): object => ({
  get: { summary, security: [{ signed: [] }], ...(parameters.length > 0 && { parameters }), responses: { "200": ok, default: problem } },
});
const consistency = {
  name: "consistency",
  in: "query",
  description: "local: what this node has applied. linearizable: everything acknowledged to anybody before; 503 without a quorum.",
  schema: { type: "string", enum: ["local", "linearizable"], default: "local" },
} as const;
const inQuery = (name: string, description: string): object => ({ name, in: "query", description, schema: { type: "string" } });
const page = [inQuery("after", "Id after which the page begins."), inQuery("limit", "At most 200; 50 when absent.")];
const range = [
  inQuery("from", "First sequence number; 0 when absent."),
  inQuery("to", "The one after the last; 100 entries when absent, at most 500."),
];
const write = (summary: string): object => ({
  post: {
    summary,
    requestBody: { required: true, content: { "application/json": { schema: { $ref: "#/components/schemas/SignedCommand" } } } },
    responses: {
      "200": json("Ordered and certified: allowed, denied or applied, with its receipt."),
      "503": { ...problem, description: "Unavailable: the outcome is unknown until the command expires." },
      default: problem,
    },
  },
});

/** The API as OpenAPI 3.1, served at /v1/openapi.json. */
export const OPENAPI: object = {
  openapi: "3.1.0",
  info: { title: "quorumgate", version: VERSION, description: `Bodies of at most ${LIMITS.httpBodyBytesMax} bytes for one command.` },
  paths: {
    "/v1/services": {
      ...write("Register a service"),
      ...read("List services", json("A page of services; next is the cursor."), [...page, consistency]),
    },
    "/v1/services/{id}": read("A service with its grants", json("The record."), [consistency]),
    "/v1/services/{id}/revoke": write("Revoke a service"),
    "/v1/grants": write("Grant a capability"),
    "/v1/grants/{id}/revoke": write("Revoke a grant"),
    "/v1/members": read("Members, learners and a change that waits", json("The members of the epoch."), [consistency]),
    "/v1/members/changes": write("Change who takes part, approved by more than half of the operators"),
    "/v1/authorize": write("Ask for authorization"),
    "/v1/commands": write(
      "Submit up to 256 signed commands at once: {commands: [SignedCommand]}; answered by {results}, an outcome or a problem for each",
    ),
    "/v1/decisions/{id}": read("What became of a command", json("The recorded outcome; 202 while it waits."), [consistency]),
    "/v1/receipts/{id}": read("The receipt of a decision", text("A tlog-proof; JSON by Accept."), [consistency]),
    "/v1/status": read("Where this node stands", json("Status and health in words.")),
    "/v1/audit/policy": read("The policy that verifiers need", text("A tlog-policy.")),
    "/v1/audit/checkpoint": read("The newest certified checkpoint", text("A signed note.")),
    "/v1/audit/entries": read("Entries by sequence", json("Base64 of each entry."), range),
    "/v1/audit/proof": read("Inclusion proof of an entry", json("Path and checkpoint."), [inQuery("seq", "Sequence number of the entry.")]),
    "/v1/audit/{shard}/{path}": read(
      "Checkpoint, tiles and entry bundles of a shard (C2SP tlog-tiles), withheld objects; of the shard `epochs` the handovers",
      { description: "The file." },
    ),
    "/v1/openapi.json": { get: { summary: "This description", responses: { "200": json("OpenAPI 3.1.") } } },
    "/health/live": { get: { summary: "The process lives", responses: { "200": json("Live.") } } },
    "/health/ready": { get: { summary: "The node takes part in decisions", responses: { "200": json("Ready."), "503": problem } } },
    "/metrics": read("Prometheus metrics", text("Exposition format.")),
  },
  components: {
    schemas: { SignedCommand: signedCommand },
    securitySchemes: {
      signed: { type: "apiKey", in: "header", name: "Authorization", description: "Signed <base64url of a SignedCommand of kind access>" },
    },
  },
};
