import { glob, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const SWITCHED_OFF = /(?:oxlint|eslint)-disable|@ts-(?:ignore|expect-error|nocheck)/;

describe("the sources", () => {
  it("never switch the linter or the compiler off", async () => {
    const offenders: string[] = [];
    // AssemblyScript is no TypeScript: editors need the comment where it has decorators of functions.
    const exclude = ["**/assembly/**"];
    for await (const file of glob("{functions,lib,cli,local,tools,test}/**/*.{ts,mjs}", { cwd: ROOT, exclude })) {
      if (SWITCHED_OFF.test(await readFile(path.join(ROOT, file), "utf8"))) offenders.push(file);
    }
    expect(offenders).toEqual([]);
  });
});
