import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Run } from "./pairs.ts";

const REPORTER = new URL("./report-rss.mjs", import.meta.url).href;
const CLI = new URL("../../dist/cli/main.js", import.meta.url).pathname;

/** Runs a shell pipeline and takes its time; any part that fails makes it fail. */
export async function runShell(script: string, env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const { seconds } = await timed("bash", ["-c", `set -euo pipefail; ${script}`], { ...process.env, ...env });
  return { seconds };
}

/** A run of our own. */
export interface CliRun extends Run {
  rssMb: number;
  /** What it printed. */
  output: string;
}

/** Runs the product's own command line, as compiled, and takes its time and its peak memory. */
export async function runCli(args: readonly string[], env: Readonly<Record<string, string>>): Promise<CliRun> {
  const folder = await mkdtemp(join(tmpdir(), "resguardo-bench-"));
  try {
    const report = join(folder, "rss");
    const options = { ...process.env, ...env, RSS_REPORT: report };
    const { seconds, output } = await timed(process.execPath, ["--import", REPORTER, CLI, ...args], options);
    return { seconds, output, rssMb: Number(await readFile(report, "utf8")) / 1024 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The figures in the receipt that a command printed with --json. */
export function figuresOf({ output }: CliRun): Record<string, unknown> {
  return (JSON.parse(output) as { details: { figures: Record<string, unknown> } }).details.figures;
}

/** A word of a shell script, whatever is in it. */
export function shellQuote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

interface Timed {
  seconds: number;
  output: string;
}

async function timed(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Timed> {
  const started = performance.now();
  const child = spawn(file, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4000)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${file} ${args[0] ?? ""} ended with ${code}: ${stderr}`);
  return { seconds, output };
}
