import { silentTelemetry } from "#base";
import { openLevelStore } from "#storage";

/** Child process of the durability test: writes pairs of keys for ever and prints the number of each write once it is acknowledged. */
const folder = process.argv[2];
if (folder === undefined) throw new Error("the folder is missing");
const store = await openLevelStore(folder, silentTelemetry);
let next = 0;

function writeOne(): void {
  const number = next++;
  const value = new Uint8Array(700).fill(number & 0xff);
  const operations = [
    { key: `left/${number}`, value },
    { key: `right/${number}`, value },
  ];
  store.write(operations, (error) => {
    if (error) throw error;
    process.stdout.write(`${number}\n`);
    writeOne();
  });
}

// Several in flight, so that the kill falls into group commits too.
for (let i = 0; i < 8; i++) writeOne();
