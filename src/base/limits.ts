/** Every bound of the system, with its reason. Sizes in bytes, times in milliseconds unless the name says otherwise. */
export const LIMITS = {
  /** Nesting of canonical values: nothing in the formats needs more, and readers recurse. */
  canonicalDepthMax: 16,
  /** A command's canonical bytes: leaves room for the entry made from it (65,535). */
  commandBytesMax: 32_768,
  /** A leaf of the log: C2SP tlog-tiles writes its length as u16. */
  entryBytesMax: 65_535,
  /** Path of a batch signature: a tree of 2^16 commands. */
  batchPathMax: 16,
  /** From issuedAt to expiresAt: ids are remembered that long. */
  commandLifetimeMaxUs: 120_000_000,
  /** How far a command's issuedAt may lie ahead of the agreed time. */
  clockSkewMaxUs: 5_000_000,
  /** Commands in one block: one apply stays well below a view timeout. */
  blockCommandsMax: 2_000,
  /** A leader waits for more commands after a block of this many: then there is load. */
  blockFillingCommandsMin: 16,
  /** How long after a block it waits at most, in milliseconds: about what answering and asking again takes under load. */
  blockFillingMs: 25,
  /** Bytes of one block's commands: one frame carries a proposal. */
  blockBytesMax: 4_194_304,
  /** One frame between nodes: a proposal of full size and its certificates. */
  frameBytesMax: 8_388_608,
  /** Members of a cluster: certificates stay small, all-to-all voting affordable. */
  membersMax: 31,
  /** Sum of weights: three times it stays a safe integer by far. */
  totalWeightMax: 1_000_000,
  /** Heights in flight: more gains little and makes view changes large. */
  windowMax: 8,
  /** How far ordering may run ahead of certified execution, in heights. */
  uncertifiedHeightsMax: 16,
  /** Heights between stable checkpoints. */
  stableCheckpointInterval: 128,
  /** Longest interval that a genesis may choose: what changes in it is kept twice. */
  checkpointIntervalMax: 16_384,
  /** Blocks kept below the tip by default: a day of an idle cluster, some minutes of a busy one. Who is further behind gets the state instead. */
  blocksKept: 16_384,
  /** Pruned blocks deleted along with one block: more than are added, so that pruning catches up, and never a long batch. */
  blocksPrunedAtOnce: 8,
  /** Bytes of one part of a state: some thousand keys; a receiver checks it in a few milliseconds. */
  statePartBytesMax: 1_048_576,
  /** Entries in one part of the log, beside the bound on its bytes. */
  logPartEntriesMax: 4_096,
  /** Bytes that an entry names because they would not have fitted: what a command of 32 KiB comes to with all that explains its answer. */
  entryObjectBytesMax: 1_048_576,
  /** Shards that an offer proves: two a year for 32 years. */
  offerShardsMax: 64,
  /** Epochs that an offer leads through: a node further behind is set up anew with a newer genesis. */
  offerEpochsMax: 256,
  /** What a peer has to give in a second of a state transfer, taken over all of it: a poor link carries more, and who dawdles makes way for the next. */
  transferBytesPerSecondMin: 65_536,
  /** And while another peer may be faster: a tenth of what a local network carries; nobody is left for less a second time. */
  transferBytesPerSecondGood: 1_048_576,
  /** And for how long it may be slower than that, so that lost frames and a short transfer count for nothing. */
  transferPatienceMs: 30_000,
  /** Parts of a state that stay in memory when an attempt to fetch it fails: what is beyond is fetched again. */
  transferKeptBytesMax: 268_435_456,
  /** For how long a peer that sent something wrong is asked for no state: to look at another lie costs as much as at the truth. */
  transferDistrustMs: 5_000,
  /** Snapshots that a node holds for others at one time. */
  snapshotsMax: 2,
  /** A snapshot that nobody asked about for so long is dropped. */
  snapshotIdleMs: 30_000,
  /** For how long after a question it is kept for whoever asked, though another peer wants a newer one: longer than a request is tried. */
  snapshotInUseMs: 5_000,
  /** And for how long in all: who holds on to it by questions gives way then. */
  snapshotHeldMs: 600_000,
  /** How many times as long as it took to take one passes before the next: a tenth of a node's time at most. */
  snapshotRestFactor: 9,
  /** The longest such rest. */
  snapshotRestMaxMs: 60_000,
  /** Own cosignatures kept for sending again. */
  cosignaturesKept: 1_024,
  /** An idle leader proposes a heartbeat block, so that agreed time does not stand still. */
  heartbeatMs: 5_000,
  /** How far a first proposal's time may lie from a replica's clock. */
  proposalSkewMaxMs: 5_000,
  /** Commands in one frame between nodes: a burst is split, so that votes are not held up behind it. */
  relayCommandsMax: 256,
  /** Commands waiting in one replica: beyond it callers are told that it is busy. */
  mempoolCommandsMax: 20_000,
  /** Commands of one issuer waiting in one replica: one caller cannot crowd out the others. */
  mempoolPerIssuerMax: 5_000,
  /**
   * Commands waiting in one replica under keys that the state does not know: they will be refused unless their issuer registers first, and whoever
   * makes up issuers takes no room from the others. A block holds as many at most, which cost little beside a full one.
   */
  mempoolStrangersMax: 64,
  /** Bytes of one sender's messages that a core keeps for later heights and views: four full blocks, as many as PBFT's default window. */
  laterBytesPerSenderMax: 16_842_752,
  /** Verifications a core has under way: a flood of unverifiable messages is dropped. */
  pendingVerificationsMax: 4_096,
  /** Linearizable reads that a core has under way; whoever comes then is told to try again. */
  readsMax: 1_024,
  /** How far a peer's round or term may lie ahead and still be looked at. */
  viewAheadMax: 1_000,
  /** Blocks in one answer of the catch-up protocol. */
  syncBlocksMax: 64,
  /** Bytes in one answer of the catch-up protocol. */
  syncBytesMax: 4_194_304,
  /** Bytes of blocks and other answers that one peer may ask for at once: two full answers of the catch-up protocol. */
  peerServedBytesMax: 8_388_608,
  /** And in a second from then on: about what a node that is behind can apply, and a small part of what a link and a core carry. */
  peerServedBytesPerSecond: 16_777_216,
  /** What the smallest answer counts: with the bound above 256 signatures or reads in a second. */
  peerServedAnswerBytesMin: 65_536,
  /** Commands without a valid signature that one peer may bring at once: an honest one brings what it verified, so none but for a fault. */
  peerForgedMax: 64,
  /** And in a second from then on, before its commands are dropped unread: a thousandth of a core. */
  peerForgedPerSecond: 16,
  /** Bytes queued to one peer: beyond it the oldest frames are dropped; protocols send again. */
  peerQueueBytesMax: 67_108_864,
  /** Connections to the peer port that have not proved who they are: beyond it the oldest of the address that has most makes room, so that slow strangers cannot fill it, nor one machine's many. */
  unauthenticatedConnectionsMax: 64,
  /** From accepting or dialling a connection to its last hello: a handshake takes milliseconds, a loaded machine some more. */
  peerHandshakeTimeoutMs: 5_000,
  /** Between heartbeats on a link: four missed ones show a stopped or cut-off peer within about two seconds. */
  peerHeartbeatMs: 500,
  /** Heartbeat intervals without a byte from the peer after which its link is given up. */
  peerSilentHeartbeatsMax: 4,
  /** First pause before a peer is dialled again, doubled each time: a restarted peer listens again after some hundred milliseconds. */
  peerRedialMinMs: 50,
  /** Longest pause before a peer is dialled again: bounds how long a peer that came back waits. */
  peerRedialMaxMs: 1_000,
  /** Bytes handed to a socket at once: large enough to fill TLS records, small enough to keep the event loop fair. */
  peerWriteBytesMax: 262_144,
  /** Bytes in one group commit: a synced batch stays well below a view timeout on a slow disk. */
  storageBatchBytesMax: 16_777_216,
  /** Grants of one service, ended ones included: evaluation and listing stay bounded. */
  grantsPerServiceMax: 1_024,
  /** Grants of one service for one operation, and as many again for `*`: a decision looks at 64 at most. */
  grantsPerOperationMax: 32,
  /** Resources named by one capability. */
  resourcesMax: 64,
  /** Characters of one resource: paths and URNs fit. */
  resourceLengthMax: 256,
  /** Characters of a word of an open vocabulary (domain, operation, temporal pattern, mesh role). */
  wordLengthMax: 64,
  /** Temporal patterns of one grant. */
  temporalPatternsMax: 16,
  /** Claims of one attestation: with their length below, far from the size of an entry. */
  claimsMax: 32,
  /** Fields of a request's context. */
  contextFieldsMax: 16,
  /** Characters of a claim, of a context field, of a stated reason. */
  freeTextMax: 512,
  /** Leaves of the state tree whose paths wait for hashing: bounds the pause at a stable checkpoint. */
  stateTreePendingMax: 256,
  /** Approvals of one governance command: with its issuer a majority of 256 operators, who are as many as genesis may name; some 130 bytes each. */
  approvalsMax: 128,
  /** Pieces of evidence of one kind against one node in one epoch: more of the same adds nothing, and a liar must not fill the log. */
  evidencePerSeriesMax: 4,
  /** Evidence that one node keeps until the ledger holds it: every kind, as often as it counts, against as many nodes as may lie. */
  evidenceHeldMax: 256,
  /** Between the turns in which members report what they all saw, in milliseconds: the first one's report is recorded by then. */
  evidenceTurnMs: 500,
  /** Lifetime of a report, microseconds: not ordered by then, it is made anew. */
  evidenceReportUs: 30_000_000,
  /** How long operators may approve a removal that evidence proposed, microseconds: a week, as by default for their own. */
  removalProposalUs: 604_800_000_000,
  /** Nodes that replicate without weight: each costs a member bandwidth. */
  learnersMax: 8,
  /** Members that one change renews: a statement has some 3,000 bytes, and the command has to hold them and the approvals. */
  renewalsMax: 8,
  /** How long a caller waits for an ordered answer by default. */
  submitTimeoutMs: 10_000,
  /** Body of an HTTP request: a command in base64url with its signature and path. */
  httpBodyBytesMax: 131_072,
  /** One X.509 certificate as DER: ours have some 600 bytes; the membership holds an authority in 8,192 characters. */
  certificateBytesMax: 6_144,
  /** Signatures remembered as valid: a command is seen at its gateway, in its relay and in its proposal; some 150 bytes each. */
  verifiedSignaturesKept: 16_384,
  /** One output of an extendable hash function: nothing here needs more, and a caller's number must not allocate memory at will. */
  hashOutputBytesMax: 65_536,
  /** One secret file: keys have a few hundred bytes. */
  secretFileBytesMax: 65_536,
  /** One node.json or identity.json: a member with its authority's certificate and five proofs has some 3,000 bytes. */
  nodeFileBytesMax: 32_768,
} as const;
