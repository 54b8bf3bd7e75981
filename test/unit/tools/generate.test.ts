import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { ERROR_CODES } from "../../../lib/core/error-codes.ts";
import { settingsSchema } from "../../../lib/core/settings.ts";
import { DEPENDENCIES } from "../../../tools/generate/dependencies.ts";
import { fillMarkers, generatedFiles, policyJsonSchema } from "../../../tools/generate/outputs.ts";
import { readmeTables } from "../../../tools/generate/tables.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const EMPTY_README = ["retention", "settings", "errors", "dependencies"]
  .map((name) => `<!-- generated:${name} -->\n<!-- /generated -->\n`)
  .join("\n");

async function inFolder<T>(readme: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), "resguardo-generate-"));
  try {
    await cp(path.join(ROOT, ".oxfmtrc.json"), path.join(folder, ".oxfmtrc.json"));
    await writeFile(path.join(folder, "README.md"), readme);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("the generated tables", () => {
  it("say of every direct dependency what it is for and why", async () => {
    const manifest: unknown = JSON.parse(await readFile(path.join(ROOT, "package.json"), "utf8"));
    const groups = ["dependencies", "devDependencies", "optionalDependencies"].map((group) => Object(manifest)[group]);
    const names = groups.flatMap((group) => Object.keys(Object(group)));
    expect(new Set(Object.keys(DEPENDENCIES))).toEqual(new Set(names));
  });

  it("hold every error code with its exit code", () => {
    const { errors = "" } = readmeTables();
    for (const code of Object.keys(ERROR_CODES)) expect(errors).toContain(`| \`${code}\` |`);
    expect(errors).toMatch(/`POLICY_INVALID` \| config \| 2 \|/);
    expect(errors).toMatch(/`BLOB_DAMAGED` \| verify \| 1 \|/);
    expect(errors).toMatch(/`STORAGE_UNAVAILABLE` \| storage \| 1 \| yes \|/);
  });

  it("hold every setting with its default", () => {
    const { settings = "" } = readmeTables();
    for (const name of Object.keys(settingsSchema.shape)) expect(settings).toContain(`| \`${name}\` |`);
    expect(settings).toContain("| `RESGUARDO_POLICY` | required |");
    expect(settings).toContain("| `RESGUARDO_LOG_LEVEL` | `info` |");
  });
});

describe("the markers of the README", () => {
  it("keep the text around them and lose what stood between them", () => {
    const text =
      "before <!-- generated:a -->old<!-- /generated --> between <!-- generated:b --><!-- /generated --> after";
    expect(fillMarkers(text, { a: "A", b: "$&" })).toBe(
      "before <!-- generated:a -->\n\nA\n\n<!-- /generated --> between <!-- generated:b -->\n\n$&\n\n<!-- /generated --> after",
    );
  });

  it("are asked for by name when one is missing", () => {
    expect(() => fillMarkers("nothing", { errors: "x" })).toThrow('expected "<!-- generated:errors -->"');
  });
});

describe("the generated files", () => {
  it("are the same when they are generated from themselves", async () => {
    await inFolder(EMPTY_README, async (folder) => {
      const first = await generatedFiles(folder);
      await writeFile(path.join(folder, "README.md"), first.get("README.md") ?? "");
      expect(await generatedFiles(folder)).toEqual(first);
    });
  });

  it("describe the policy to editors, unknown fields refused", () => {
    const schema = policyJsonSchema();
    expect(schema).toMatchObject({
      title: "Resguardo policy",
      additionalProperties: false,
      required: expect.arrayContaining(["environment", "vaults", "keys", "sources"]),
    });
    expect(Object.keys(Object(schema["properties"]))).toContain("alerts");
  });
});
