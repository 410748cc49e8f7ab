import { errorCode, silentTelemetry } from "#base";
import { openLevelStore } from "#storage";
import { closed, scanned, written } from "../contracts/store.contract.ts";

/** Child process that may not write large files: prints the outcome of each step after a write has failed. */
const folder = process.argv[2];
if (folder === undefined) throw new Error("the folder is missing");
const store = await openLevelStore(folder, silentTelemetry);
const outcomeOf = (operation: Promise<unknown>): Promise<string> => operation.then(() => "done", errorCode);
const small = (key: string): Promise<void> => written(store, [{ key, value: Uint8Array.of(1) }]);
const outcomeOfGet = (): string => {
  try {
    return `found ${store.get("first")?.length}`;
  } catch (error) {
    return errorCode(error);
  }
};

const before = await outcomeOf(small("first"));
// The second and third share the fate of the batch that fails or waits behind it.
const pending = [written(store, [{ key: "large", value: new Uint8Array(12_000_000).fill(7) }]), small("waiting")];
const [large, waiting] = await Promise.all(pending.map(outcomeOf));
const later = await outcomeOf(small("later"));
const scan = await outcomeOf(scanned(store, "a", "z"));
const why = await small("why").then(
  () => "",
  (error: Error) => error.message,
);
const close = await outcomeOf(closed(store));
process.stdout.write(`${JSON.stringify({ before, large, waiting, later, why, get: outcomeOfGet(), scan, close })}\n`);
