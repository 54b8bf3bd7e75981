import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { generatedFiles } from "./generate/outputs.ts";

// npm run generate writes the files that are made from the code; with --check it only says which are out of date.

const root = path.resolve(import.meta.dirname, "..");
const isCheck = process.argv.includes("--check");
const stale: string[] = [];

for (const [file, wanted] of await generatedFiles(root)) {
  const target = path.join(root, file);
  if ((await readIfThere(target)) === wanted) continue;
  stale.push(file);
  if (isCheck) continue;
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, wanted);
}

if (isCheck && stale.length > 0) {
  console.error(`out of date: ${stale.join(", ")}\nRun "npm run generate" and commit the result.`);
  process.exitCode = 1;
} else {
  console.log(stale.length === 0 ? "generated files are up to date" : `written: ${stale.join(", ")}`);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error: unknown) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
