export { ACCESS_KIND, type Caller } from "./access.ts";
export { ClientShares, SHARE_LIMITS } from "./client-shares.ts";
export type { HttpOptions } from "./context.ts";
export { type Problem, problemOf } from "./problem.ts";
export { Ration } from "./ration.ts";
export { createHttpServer } from "./server.ts";
