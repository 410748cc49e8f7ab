// `npm run test:soak -- [--seconds N] [--seed N] [--engine NAME] [--campaign kills|resources|turnover]`: processes under load are killed, paused,
// parted, slowed and run out of disk for as long as told; or one is spared, and what it holds of the machine is watched; or members are replaced.
import { parseArgs } from "node:util";
import { runNode } from "./steps.mjs";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    seed: { type: "string", default: "1" },
    engine: { type: "string", default: "pbft" },
    campaign: { type: "string", default: "kills" },
  },
});

const env = {
  QUORUMGATE_SOAK_SECONDS: values.seconds,
  QUORUMGATE_SOAK_SEED: values.seed,
  QUORUMGATE_SOAK_ENGINE: values.engine,
};
const { code } = await runNode(["scripts/test.mjs", `test/campaigns/${values.campaign}.test.ts`], { env });
process.exitCode = code;
