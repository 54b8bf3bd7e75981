import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Run } from "./pairs.ts";

const REPORTER = new URL("./report-rss.mjs", import.meta.url).href;
const CLI = new URL("../../dist/cli/main.js", import.meta.url).pathname;

/** Runs a shell pipeline and takes its time; any part that fails makes it fail. */
export async function runShell(script: string, env: NodeJS.ProcessEnv = {}): Promise<Run> {
  return { seconds: await timed("bash", ["-c", `set -euo pipefail; ${script}`], { ...process.env, ...env }) };
}

/** Runs the product's own command line, as compiled, and takes its time and its peak memory. */
export async function runCli(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Run> {
  return runNode(CLI, args, env);
}

/** Runs a program of ours, and takes its time and its peak memory. */
export async function runNode(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), "resguardo-bench-"));
  try {
    const report = join(folder, "rss");
    const seconds = await timed(process.execPath, ["--import", REPORTER, program, ...args], {
      ...process.env,
      ...env,
      RSS_REPORT: report,
    });
    return { seconds, rssMb: Number(await readFile(report, "utf8")) / 1024 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A word of a shell script, whatever is in it. */
export function shellQuote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

async function timed(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const started = performance.now();
  const child = spawn(file, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4000)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${file} ${args[0] ?? ""} ended with ${code}: ${stderr}`);
  return seconds;
}
