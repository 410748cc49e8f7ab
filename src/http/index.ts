export { ACCESS_KIND, type Caller } from "./access.ts";
export { type Problem, problemOf } from "./problem.ts";
export { createHttpServer, type HttpOptions } from "./server.ts";
