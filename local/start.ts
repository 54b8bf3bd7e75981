import { relative } from "node:path";
import { runCommandLine } from "../cli/program.ts";
import { reportError } from "../lib/core/errors.ts";
import { atLeast, type LogSink } from "../lib/core/log.ts";
import { startDemo } from "./demo/demo.ts";
import { startHost } from "./host/host.ts";
import { startAzurite } from "./servers/azurite.ts";
import { assertPortFree } from "./servers/free-port.ts";
import { projectRoot } from "./servers/cache.ts";

// `npm start`: the functions on this machine, with a policy of the user's own or, without one, with a demo.

const PORT = Number(process.env["PORT"] ?? 7071);

try {
  await run();
} catch (error: unknown) {
  const { code, message, hint } = reportError(error);
  process.stderr.write(`resguardo: ${code}: ${message}\n${hint ? `${hint}\n` : ""}`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  await assertPortFree(PORT);
  await using resources = new AsyncDisposableStack();
  const stopped = stopRequest();
  const storage = process.env["AzureWebJobsStorage"] ?? resources.use(await startAzuriteLoudly()).connectionString;
  const demo = process.env["RESGUARDO_POLICY"] ? undefined : resources.use(await startDemo(storage, say));
  Object.assign(process.env, demo?.env);
  if (demo && !(await proveDemo())) return;

  const host = await startHost({
    appRoot: projectRoot(),
    port: PORT,
    connectionString: storage,
    sink: logSink(demo !== undefined),
  });
  resources.defer(() => host.stop());
  say(`functions: ${host.functions.map(({ name }) => name).join(", ")}`);
  say(`look at ${host.url}/api/freshness and ${host.url}/api/live`);
  if (demo) {
    say("the log every 2 seconds, a backup every 2 minutes, a drill every 5; in another terminal:");
    say(`  . ${relative(process.cwd(), demo.envFile)}`);
    say("  npx resguardo list");
    say('  npx resguardo restore shop --target "$DEMO_SCRATCH_URL" --as shop=shop_again');
  }
  say("Ctrl-C stops everything");
  const failure = await Promise.race([stopped, host.failed]);
  if (failure) throw failure;
  say("stopping");
}

/** What an operator would type, in this process. A failure has told itself and decides the exit code. */
async function proveDemo(): Promise<boolean> {
  for (const command of ["backup shop", "ship shop --for 5s", "drill shop --kind pitr"]) {
    say(`$ npx resguardo ${command}`);
    const exitCode = await runCommandLine(command.split(" "));
    if (exitCode === 0) continue;
    process.exitCode = exitCode;
    return false;
  }
  return true;
}

async function startAzuriteLoudly() {
  say("starting Azurite, the storage emulator");
  return startAzurite();
}

/** With the demo only warnings are shown, so that its few lines stay in sight; a policy of one's own logs every event. */
function logSink(isDemo: boolean): LogSink {
  return atLeast(isDemo ? "warn" : "info", (_level, line) => process.stderr.write(`${line}\n`));
}

function stopRequest(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve(undefined));
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
