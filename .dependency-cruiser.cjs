// The directions of imports (docs/ARCHITECTURE.md, Rooms): a room imports only rooms of lower layers, through their doors.
// test/house/import-rules.test.ts plants a violation of each rule and sees it found.

/** Rooms by layer, lowest first. A room may import the rooms of the layers before its own and none beside it. */
const LAYERS = [
  ["src/base"],
  ["src/state", "consensus", "audit"],
  ["src/crypto", "src/transport", "src/storage", "src/telemetry"],
  ["src/replica", "src/identity"],
  ["simulations", "src/gateway"],
  ["src/http"],
  ["src/daemon", "src/cli"],
];

const PURE = ["src/base", "src/state", "consensus", "audit"];
const ANY_ROOM = "^(src/[^/]+|consensus|audit|simulations)/";

/** The two entry points stand in one layer; the command line starts nodes, so it may open the daemon's door. */
const BESIDE = { "src/cli": ["src/daemon"] };

const inside = (rooms) => `^(${rooms.join("|")})/`;
const packages = (names) => `(^|/)node_modules/(${names.join("|")})(/|$)`;

const layerRules = LAYERS.flatMap((rooms, layer) =>
  rooms.map((room) => {
    const allowed = [...LAYERS.slice(0, layer).flat(), ...(BESIDE[room] ?? []), room];
    return {
      name: `layers-${room.replace("src/", "")}`,
      comment: `${room} imports only rooms below it: ${allowed.filter((name) => name !== room).join(", ") || "none"}.`,
      severity: "error",
      from: { path: inside([room]) },
      to: { path: "^(src|consensus|audit|simulations)/", pathNot: inside(allowed) },
    };
  }),
);

/** A library that only some rooms may import. */
function onlyImporters(name, { libraries, rooms, comment }) {
  return {
    name,
    comment,
    severity: "error",
    from: { path: "^(src|consensus|audit|simulations)/", pathNot: inside(rooms) },
    to: { path: packages(libraries) },
  };
}

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: "known-rooms",
      comment: "A new folder under src needs its place in the layers above before it can import or be imported.",
      severity: "error",
      from: {},
      to: { path: "^src/[^/]+/", pathNot: inside(LAYERS.flat()) },
    },
    {
      name: "through-doors",
      comment: "Rooms meet at their doors (#base, #state, …): a path into another room would go round its list of public names.",
      severity: "error",
      from: { path: ANY_ROOM },
      to: { path: ANY_ROOM, pathNot: "^$1/", dependencyTypesNot: ["aliased-subpath-import"] },
    },
    {
      name: "library-through-doors",
      comment: "The entry of the library lists public names of rooms, so it uses their doors too.",
      severity: "error",
      from: { path: "^(src/index\\.ts$|test/)" },
      to: { path: ANY_ROOM, pathNot: "/index\\.ts$|^src/cli/|^audit/verify\\.ts$", dependencyTypesNot: ["aliased-subpath-import"] },
    },
    {
      name: "pure-no-node",
      comment: "A pure room decides; whatever touches the machine comes in through a port.",
      severity: "error",
      from: { path: inside(PURE) },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "pure-few-packages",
      comment: "Hashes are all that a pure room takes from outside: each package there is part of what every node must agree on.",
      severity: "error",
      from: { path: inside(PURE) },
      to: { path: "(^|/)node_modules/", pathNot: packages(["@noble"]) },
    },
    onlyImporters("only-crypto-imports-libsodium", {
      libraries: ["libsodium[^/]*", "@types/libsodium[^/]*", "sodium-native"],
      rooms: ["src/crypto"],
      comment: "One predicate for signatures on every node: nothing else may verify by another way.",
    }),
    onlyImporters("only-storage-imports-level", {
      libraries: ["level", "classic-level", "abstract-level", "browser-level", "memory-level"],
      rooms: ["src/storage"],
      comment: "Durability is decided in one place: `sync` is off in level unless it is asked for.",
    }),
    onlyImporters("only-http-imports-fastify", {
      libraries: ["fastify[^/]*", "@fastify"],
      rooms: ["src/http", "src/daemon", "src/cli"],
      comment: "The core library has no HTTP server.",
    }),
    {
      name: "library-without-http-server",
      comment: "Whoever embeds the library does not load an HTTP server, not even through a room in between.",
      severity: "error",
      from: { path: "^src/index\\.ts$" },
      to: { path: `^src/(http|daemon|cli)/|${packages(["fastify[^/]*", "@fastify"])}`, reachable: true },
    },
    {
      name: "nothing-imports-tests",
      comment: "What only tests need stays with them.",
      severity: "error",
      from: { pathNot: "^test/" },
      to: { path: "^test/" },
    },
    {
      name: "no-cycles",
      comment: "Files that need each other are one idea in two places, or two ideas wrongly cut.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "resolvable",
      comment: "Everything that is imported exists and is declared.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "declared-packages",
      comment: "The product imports only packages that its users get.",
      severity: "error",
      from: { path: "^(src|consensus|audit|simulations)/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|coverage)/" },
    tsPreCompilationDeps: true,
    detectJSDocImports: false,
    enhancedResolveOptions: {
      conditionNames: ["quorumgate-source", "import", "node", "types", "default"],
      exportsFields: ["exports"],
      extensions: [".ts", ".mjs", ".cjs", ".js", ".json", ".d.ts"],
      mainFields: ["main", "types"],
    },
    progress: { type: "none" },
  },
};
