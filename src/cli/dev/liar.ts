import { parseArgs } from "node:util";
import { nodeHasher } from "#crypto";
import { type NodeArguments, runNodeProcess } from "#daemon";
import { systemClock, systemTimers } from "#gateway";
import { Liar } from "#simulations";

/** The process of a development node that can lie: the daemon with a mouth of the laboratory in front of its links. */
function readArguments(): NodeArguments {
  const { values } = parseArgs({ options: { config: { type: "string" } } });
  const liar = new Liar({ hasher: nodeHasher, clock: systemClock, timers: systemTimers });
  return { config: values.config, mouth: { interpose: (links, node) => liar.interpose(links, node), become: (kind) => liar.become(kind) } };
}

await runNodeProcess(readArguments);
