import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createConnection } from "mysql2/promise";
import { AppError } from "../../lib/core/errors.ts";
import type { DebianRoot } from "./debian-root.ts";
import { freePort } from "./free-port.ts";
import { type GuardedProcess, startGuarded } from "./guarded-process.ts";
import { type KeyringProgram, keyringProgram } from "./mysql-keyring.ts";
import { installationOptions, mysqlPrograms } from "./mysql-programs.ts";
import { copyTemplate } from "./mysql-template.ts";
import { temporaryFolder } from "./run-folder.ts";

/** System variables by name, with underscores or dashes; they override the defaults below. */
export type MysqlOptions = Readonly<Record<string, string | number | boolean>>;

export interface MysqlServer extends AsyncDisposable {
  /** `mysql://root:…@127.0.0.1:port`; root may do everything. */
  readonly url: string;
  readonly port: number;
  readonly socket: string;
  readonly dataDir: string;
  readonly pid: number;
  /** Ends the server, and removes its data unless the caller named the folder. */
  stop(): Promise<void>;
  /** Ends it as a crash would, and keeps the data. */
  kill(): Promise<void>;
}

export interface StartMysql {
  /** Kept when the server stops, and opened again when it holds a server's data. Default: a folder that goes with the server. */
  dataDir?: string;
  options?: MysqlOptions;
  /** Loads a keyring of its own, as encryption at rest needs it. */
  keyring?: boolean;
  /** Default 60,000. */
  deadlineMs?: number;
}

const DEFAULTS: MysqlOptions = {
  bind_address: "127.0.0.1",
  mysqlx: "OFF",
  log_bin: "binlog",
  server_id: 1,
  gtid_mode: "ON",
  enforce_gtid_consistency: "ON",
  local_infile: "ON",
  // A crash of the machine may cost a test server its last second, and it starts and commits faster.
  innodb_flush_log_at_trx_commit: 2,
  sync_binlog: 0,
};

const PORT_ATTEMPTS = 3;

/** Starts a real MySQL server of its own on a free port of 127.0.0.1. Throws LOCAL_TOOL_UNAVAILABLE, LOCAL_SERVER_FAILED. */
export async function startMysql(request: StartMysql = {}): Promise<MysqlServer> {
  const root = await mysqlPrograms();
  const dataDir = request.dataDir ?? (await temporaryFolder("mysql"));
  const runDir = await mkdtemp(join(tmpdir(), "resguardo-mysql-"));
  const remove = async () => {
    await rm(runDir, { recursive: true, force: true });
    if (request.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await mkdir(dataDir, { recursive: true });
    if (!existsSync(join(dataDir, "ibdata1"))) await copyTemplate(root, dataDir);
    return await startOnFreePort({ root, dataDir, runDir, request, remove });
  } catch (error: unknown) {
    await remove();
    throw error;
  }
}

interface Launch {
  root: DebianRoot;
  dataDir: string;
  /** Short path: a socket's name may have 107 bytes. */
  runDir: string;
  request: StartMysql;
  remove: () => Promise<void>;
}

async function startOnFreePort(launch: Launch): Promise<MysqlServer> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const password = randomBytes(12).toString("hex");
    const child = await startGuarded(await commandLine(launch, port, password), { logFile: logOf(launch) });
    try {
      await untilReady(child, port, password, launch);
      return running(child, port, password, launch);
    } catch (error: unknown) {
      await child.kill();
      if (attempt === PORT_ATTEMPTS || !(await readLog(launch)).includes("Address already in use")) throw error;
    }
  }
}

const logOf = (launch: Launch) => join(launch.dataDir, "error.log");

const PLAIN: KeyringProgram = { program: "sbin/mysqld", options: [] };

async function commandLine(launch: Launch, port: number, password: string): Promise<string[]> {
  const initFile = join(launch.runDir, "init.sql");
  const statements = ["SET SESSION sql_log_bin = 0;", `ALTER USER root@localhost IDENTIFIED BY '${password}';`, ""];
  await writeFile(initFile, statements.join("\n"), { mode: 0o600 });
  const { program, options } =
    launch.request.keyring === true ? await keyringProgram(launch.root, launch.runDir) : PLAIN;
  return launch.root.command(program, [
    "--no-defaults",
    ...installationOptions(launch.root),
    ...options,
    `--datadir=${launch.dataDir}`,
    `--port=${port}`,
    `--socket=${join(launch.runDir, "mysql.sock")}`,
    `--pid-file=${join(launch.dataDir, "mysqld.pid")}`,
    `--init-file=${initFile}`,
    ...toArguments(launch.request.options ?? {}),
  ]);
}

function toArguments(options: MysqlOptions): string[] {
  const named = Object.entries(options).map(([name, value]) => [name.replaceAll("-", "_"), value] as const);
  const merged = { ...DEFAULTS, ...Object.fromEntries(named) };
  return Object.entries(merged).map(
    ([name, value]) => `--${name}=${value === true ? "ON" : value === false ? "OFF" : value}`,
  );
}

async function untilReady(child: GuardedProcess, port: number, password: string, launch: Launch): Promise<void> {
  const { deadlineMs = 60_000 } = launch.request;
  const giveUpAt = performance.now() + deadlineMs;
  while (child.running && performance.now() < giveUpAt) {
    if (await answers(port, password)) return;
    await pause(50);
  }
  const what = child.running ? `does not answer after ${deadlineMs} ms` : "ended while it started";
  throw new AppError("LOCAL_SERVER_FAILED", `mysqld on port ${port} ${what}: ${await lastComplaint(launch)}`, {
    hint: `Read the server's log in ${logOf(launch)}.`,
  });
}

/** The server opens its port only after the init file has run, so a login with the new password means it is ready. */
async function answers(port: number, password: string): Promise<boolean> {
  try {
    const connection = await createConnection({
      host: "127.0.0.1",
      port,
      user: "root",
      password,
      connectTimeout: 2000,
    });
    await connection.end();
    return true;
  } catch {
    return false;
  }
}

async function readLog(launch: Launch): Promise<string> {
  return existsSync(logOf(launch)) ? readFile(logOf(launch), "utf8") : "";
}

async function lastComplaint(launch: Launch): Promise<string> {
  const log = await readLog(launch);
  const errors = log.split("\n").filter((line) => line.includes("[ERROR]"));
  return errors.at(-2)?.replace(/^.*\[Server\] /, "") ?? errors.at(-1) ?? "nothing in its log";
}

function running(child: GuardedProcess, port: number, password: string, launch: Launch): MysqlServer {
  const stop = async () => {
    // An orderly shutdown takes over a second, for data that is removed anyway.
    await (launch.request.dataDir === undefined ? child.kill() : child.stop());
    await launch.remove();
  };
  return {
    url: `mysql://root:${password}@127.0.0.1:${port}`,
    port,
    socket: join(launch.runDir, "mysql.sock"),
    dataDir: launch.dataDir,
    pid: child.pid,
    stop,
    kill: () => child.kill(),
    [Symbol.asyncDispose]: stop,
  };
}
