import { spawn } from "node:child_process";
import { once } from "node:events";
import type { CommandResult } from "./workspace.ts";

const CLI = new URL("../../cli/main.ts", import.meta.url).pathname;

/** Runs the command line in a folder that is also its home, with no setting but the given ones: as on a laptop from the shop. */
export async function runAlone(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: folder,
    env: { HOME: folder, PATH: "/usr/bin:/bin", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (texts.stdout += chunk.toString("utf8")));
  child.stderr.on("data", (chunk: Buffer) => (texts.stderr += chunk.toString("utf8")));
  const [exitCode] = (await once(child, "close")) as [number | null];
  return { exitCode, ...texts };
}
