export { ACCESS_KIND, type Caller } from "./access.ts";
export type { HttpOptions } from "./context.ts";
export { type Problem, problemOf } from "./problem.ts";
export { createHttpServer } from "./server.ts";
