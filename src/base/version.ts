/** The version of the package, as package.json says it (`test/tidy.test.ts` compares them). */
export const VERSION = "0.1.0";
