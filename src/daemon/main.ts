import { parseArgs } from "node:util";
import { runNodeProcess } from "./process.ts";

await runNodeProcess(() => parseArgs({ options: { config: { type: "string" } } }).values);
