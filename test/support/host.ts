import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type HostProcess, startHostProcess } from "../../local/host/host-process.ts";
import type { HostOptions } from "../../local/host/host.ts";

/** One line that the fixture app wrote. */
export interface FixtureRecord {
  event: string;
  pid: number;
  at: number;
  message?: unknown;
  timer?: { isPastDue: boolean; scheduleStatus: { last: string; next: string; lastUpdated: string } | null };
  dequeueCount?: number;
  id?: string;
  bytes?: boolean;
}

/** A folder in which fixture apps record what they do, and in which the test opens the gates they wait at. */
export interface FixtureFolder extends AsyncDisposable {
  readonly path: string;
  records(event: string): Promise<FixtureRecord[]>;
  openGate(name: string): Promise<void>;
}

export async function fixtureFolder(): Promise<FixtureFolder> {
  const path = await mkdtemp(join(tmpdir(), "resguardo-fixture-"));
  const file = join(path, "records.jsonl");
  return {
    path,
    async records(event) {
      const text = existsSync(file) ? await readFile(file, "utf8") : "";
      const all = text.split("\n").filter((line) => line !== "");
      return all.map((line) => JSON.parse(line) as FixtureRecord).filter((line) => line.event === event);
    },
    openGate: (name) => writeFile(join(path, `gate-${name}`), ""),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

export interface FixtureHost extends HostProcess {
  /** Log lines so far. */
  readonly lines: readonly string[];
}

export interface FixtureOptions extends Partial<HostOptions> {
  connectionString: string;
  folder: FixtureFolder;
  /** Name of the folder in test/host. Default `fixture-app`. */
  app?: string;
  /** Schedule of the timer `tick`. Default: once a year. */
  tick?: string;
}

/** The embedded host with a fixture app, in a process of its own. */
export async function startFixtureHost(options: FixtureOptions): Promise<FixtureHost> {
  const { folder, app = "fixture-app", tick = "0 0 0 1 1 *", env, ...hostOptions } = options;
  const lines: string[] = [];
  const host = await startHostProcess({
    appRoot: fileURLToPath(new URL(`../host/${app}`, import.meta.url)),
    port: 0,
    sink: (_level, line) => lines.push(line),
    ...hostOptions,
    env: { FIXTURE_FOLDER: folder.path, TICK: tick, ...env },
  });
  return Object.assign(host, { lines });
}
