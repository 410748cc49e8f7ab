import { type Genesis, type Member, type PublicKey, parseNodeId, parsePublicKey, parseSubjectId, SeededRandom, toBase64Url } from "#base";

const random = new SeededRandom(7, "members");

/** A public key as it is written; no secret belongs to it. */
export function someKey(): PublicKey {
  return parsePublicKey(toBase64Url(random.bytes(32)));
}

/** A member with keys of its own. */
export function someMember(id: string, weight = 1): Member {
  return {
    id: parseNodeId(id),
    weight,
    keys: { vote: someKey(), log: someKey(), witness: someKey(), gateway: someKey(), tls: toBase64Url(random.bytes(91)) },
    peerAddress: `${id}:7500`,
    httpUrl: `https://${id}:7400`,
    tlsAuthority: toBase64Url(random.bytes(300)),
  };
}

/** A genesis of four members, one operator and one issuer, with what is given changed. */
export function someGenesis(change: Partial<Genesis> = {}): Genesis {
  return {
    environment: "production",
    trustDomain: "bank.example",
    engine: "pbft",
    protocol: 1,
    window: 1,
    activationDelay: 2,
    zeroFaultTolerance: false,
    timeUs: 1_780_000_000_000_000,
    membership: { epoch: 0, members: ["a", "b", "c", "d"].map((id) => someMember(id)) },
    operators: [{ id: parseSubjectId("operator-1"), key: someKey(), roles: ["operator", "auditor"] }],
    issuers: [{ id: parseSubjectId("issuer-1"), key: someKey() }],
    ...change,
  };
}
