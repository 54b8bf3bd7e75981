#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { AppError, exitCodeOf, reportError, toAppError } from "../../lib/core/errors.ts";
import { startHost } from "./host.ts";

/*
 * The embedded host as a process: SIGTERM, SIGINT and the end of the parent stop it gracefully (exit code 0), a second signal
 * ends it at once. With a parent that listens, it reports its port and functions as one message.
 */

const { values } = parseArgs({
  options: {
    app: { type: "string", default: "." },
    port: { type: "string", default: "7071" },
    "message-lease-seconds": { type: "string" },
    "timer-lease-seconds": { type: "string" },
  },
});

async function main(): Promise<void> {
  const appRoot = resolve(values.app);
  const host = await startHost({
    appRoot,
    port: Number(values.port),
    connectionString: storageConnection(appRoot),
    sink: (_level, line) => console.log(line),
    ...seconds("messageLeaseSeconds", values["message-lease-seconds"]),
    ...seconds("timerLeaseSeconds", values["timer-lease-seconds"]),
  });
  process.send?.({ port: host.port, functions: host.functions });
  const stopRequested = new Promise((done) => {
    process.once("SIGTERM", done).once("SIGINT", done).once("disconnect", done);
  });
  const failure = await Promise.race([host.failed, stopRequested]);
  if (failure instanceof AppError) throw failure;
  await host.stop();
}

/** Settings of the environment come first; those of local.settings.json fill in what is not set. */
function storageConnection(appRoot: string): string {
  const file = join(appRoot, "local.settings.json");
  const settings = existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as { Values?: Record<string, string> })
    : {};
  for (const [name, value] of Object.entries(settings.Values ?? {})) process.env[name] ??= value;
  const connectionString = process.env["AzureWebJobsStorage"];
  if (connectionString) return connectionString;
  throw new AppError("SETTING_MISSING", "the setting AzureWebJobsStorage is not set", {
    hint: "Set it in the environment or in local.settings.json; npm start brings a storage emulator of its own.",
  });
}

function seconds(option: string, text: string | undefined): Record<string, number> {
  return text === undefined ? {} : { [option]: Number(text) };
}

try {
  await main();
  process.exit(0);
} catch (error: unknown) {
  const failure = reportError(error);
  console.log(JSON.stringify({ time: new Date().toISOString(), level: "error", event: "host-failed", ...failure }));
  await new Promise((sent) => (process.send ? process.send({ failure }, sent) : sent(undefined)));
  process.exit(exitCodeOf(toAppError(error)));
}
