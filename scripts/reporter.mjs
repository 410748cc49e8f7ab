// Mocha's own report, then the totals alone on the last line, where people and machines look for them.
import { reporters } from "mocha";

/** The class that mocha asks for: it takes a module's default export, hence the exception from the house rule. */
export default class TotalsLast extends reporters.Spec {
  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    const skipped = pending > 0 ? `${pending} skipped (their titles stand above with a dash)\n` : "";
    process.stdout.write(`${skipped}${passes} passed, ${failures} failed\n`);
  }
}
