import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openContext, type Context } from "../../lib/vault/context.ts";
import { initKeys } from "../../lib/vault/keys/file-keys.ts";
import { policyDocument } from "./policies.ts";

export interface CommandResult {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** A folder with keys, a policy and two directory vaults: all that the product needs around a source. */
export interface Workspace extends AsyncDisposable {
  readonly folder: string;
  readonly policyPath: string;
  readonly env: Readonly<Record<string, string>>;
  /** Opens the policy in this process. */
  open(): Promise<Context>;
  /** Runs the command line as a process of its own, to its end. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CommandResult>;
  /** Starts the command line and lets the test decide how it ends. */
  start(args: readonly string[]): ChildProcess;
}

const CLI = new URL("../../cli/main.ts", import.meta.url).pathname;

/** Makes a workspace; `source` and `policy` replace fields of the test policy, `env` adds settings. */
export async function makeWorkspace(
  env: Readonly<Record<string, string>>,
  source: Record<string, unknown> = {},
  policy: Record<string, unknown> = {},
): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), "resguardo-test-"));
  await initKeys(join(folder, "keys"));
  const policyPath = join(folder, "policy.json");
  await writeFile(policyPath, JSON.stringify(policyDocument(source, policy)));
  const settings = {
    RESGUARDO_POLICY: policyPath,
    DECRYPT_KEY: join(folder, "keys", "encrypt.key.pem"),
    SIGN_KEY: join(folder, "keys", "sign.key.pem"),
    ...env,
  };
  const start = (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
    spawn(process.execPath, [CLI, ...args], {
      cwd: folder,
      env: { ...process.env, ...settings, ...more },
      stdio: ["ignore", "pipe", "pipe"],
    });
  return {
    folder,
    policyPath,
    env: settings,
    open: () => openContext(settings),
    start,
    run: async (args, more) => collect(start(args, more)),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function collect(child: ChildProcess): Promise<CommandResult> {
  const texts = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => (texts.stdout += chunk.toString("utf8")));
  child.stderr?.on("data", (chunk: Buffer) => (texts.stderr += chunk.toString("utf8")));
  const [exitCode] = (await once(child, "close")) as [number | null];
  return { exitCode, ...texts };
}
