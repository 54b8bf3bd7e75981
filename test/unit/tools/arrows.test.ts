import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { whyForbidden } from "../../../tools/lint/layers.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");

const FORBIDDEN: [file: string, code: string, reason: string][] = [
  ["lib/core/a.ts", 'import { x } from "../vault/b.ts";', "core may not import vault"],
  ["lib/vault/a.ts", 'import type { x } from "../sources/mysql/b.ts";', "vault may not import sources"],
  ["lib/vault/b.ts", 'export { x } from "../jobs/b.ts";', "vault may not import jobs"],
  ["lib/sources/mysql/a.ts", 'export * from "../postgres/b.ts";', "may not import the engine postgres"],
  ["lib/sources/mysql/b.ts", 'const x = await import("../../jobs/b.ts");', "sources may not import jobs"],
  ["lib/jobs/a.ts", 'type X = import("../restore/b.ts").X;', "jobs may not import restore"],
  ["lib/restore/a.ts", 'import { x } from "../freshness/b.ts";', "restore may not import freshness"],
  ["lib/core/b.ts", 'import { x } from "../../test/support/b.ts";', "belongs to no layer"],
  ["lib/jobs/b.ts", 'import { app } from "@azure/functions";', "only functions/, local/host/ may import"],
  ["functions/http/a.ts", 'import { x } from "@azure/storage-blob";', "may import @azure/storage-blob"],
  ["cli/a.ts", 'import { x } from "../functions/http/b.ts";', "cli may not import functions"],
];

const ALLOWED: [file: string, code: string][] = [
  ["functions/http/b.ts", 'import { app } from "@azure/functions"; import { x } from "../../lib/freshness/b.ts";'],
  ["lib/sources/mysql/c.ts", 'import { x } from "../../vault/b.ts"; import { y } from "../engine.ts";'],
  ["lib/sources/mysql/rows/d.ts", 'import { x } from "../restore/b.ts"; import { z } from "zod";'],
  ["lib/vault/storage/c.ts", 'import { x } from "@azure/storage-blob"; import { y } from "../../core/b.ts";'],
  ["test/unit/c.test.ts", 'import { x } from "../../lib/vault/b.ts"; import { y } from "../../lib/jobs/b.ts";'],
];

const OTHER_RULES: [file: string, code: string, rule: string][] = [
  ["test/unit/a.test.ts", "await new Promise((done) => setTimeout(done, 50));", "house(no-bare-sleep)"],
  ["test/host/a.test.ts", 'import { setTimeout } from "node:timers/promises";', "eslint(no-restricted-imports)"],
  ["test/unit/b.test.ts", 'it.skip("is late", () => {});', "vitest(no-disabled-tests)"],
  ["test/unit/d.test.ts", 'it.only("is late", () => {});', "vitest(no-focused-tests)"],
  ["test/unit/e.test.ts", 'it("is late", f); it("is late", g);', "vitest(no-identical-title)"],
  ["lib/core/c.ts", "// TODO: think", "eslint(no-warning-comments)"],
  ["lib/core/e.ts", "console.log(1);", "eslint(no-console)"],
  ["lib/core/Mixed.ts", "export const x = 1;", "unicorn(filename-case)"],
];

let folder: string;
let report: string;

/** Writes the cases as files of a small project and lints it with the configuration of this one. */
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "resguardo-arrows-"));
  for (const [file, code] of [...FORBIDDEN, ...ALLOWED, ...OTHER_RULES]) {
    await mkdir(path.join(folder, path.dirname(file)), { recursive: true });
    await writeFile(path.join(folder, file), `${code}\n`);
  }
  for (const configuration of [".oxlintrc.json", "tools/lint"]) {
    await cp(path.join(ROOT, configuration), path.join(folder, configuration), { recursive: true });
  }
  report = await lint();
});

afterAll(() => rm(folder, { recursive: true }));

async function lint(): Promise<string> {
  const linter = path.join(ROOT, "node_modules/.bin/oxlint");
  try {
    return (await promisify(execFile)(linter, ["--format", "unix", "."], { cwd: folder })).stdout;
  } catch (error: unknown) {
    if (error instanceof Error && "stdout" in error && typeof error.stdout === "string") return error.stdout;
    throw error;
  }
}

const linesOf = (file: string): string[] => report.split("\n").filter((line) => line.includes(`${file}:`));
const arrowLines = (file: string): string[] => linesOf(file).filter((line) => line.includes("house(arrows)"));

describe("the rules of the house", () => {
  it.each(FORBIDDEN)("refuses in %s: %s", (file, _code, reason) => {
    expect(arrowLines(file).join("\n"), report).toContain(reason);
  });

  it.each(ALLOWED)("accepts in %s: %s", (file) => {
    expect(arrowLines(file)).toEqual([]);
  });

  it.each(OTHER_RULES)("refuses in %s: %s", (file, _code, rule) => {
    expect(linesOf(file).join("\n"), report).toContain(rule);
  });

  it("lets every layer import itself and core", () => {
    for (const layer of ["vault", "sources", "jobs", "restore", "freshness"]) {
      expect(whyForbidden(`lib/${layer}/a.ts`, "./b.ts")).toBeUndefined();
      expect(whyForbidden(`lib/${layer}/a.ts`, "../core/b.ts")).toBeUndefined();
    }
  });
});
