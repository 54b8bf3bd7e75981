import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnection } from "mysql2/promise";
import { mydumper } from "../../../local/servers/mydumper.ts";
import { mysqlClient } from "../../../local/servers/mysql-programs.ts";
import { startMysql, type MysqlServer } from "../../../local/servers/mysql.ts";
import { initKeys } from "../../../lib/vault/keys/file-keys.ts";
import type { Bench } from "../main.ts";
import type { Contest } from "../pairs.ts";
import { runCli, runShell, shellQuote } from "../run-process.ts";
import { makeBenchData } from "./data.ts";
import { replayAgainstMysqlbinlog } from "./replay.ts";
import { shipAgainstMysqlbinlog } from "./ship.ts";
import { shipDelay } from "./ship-delay.ts";

// The rows stay in memory, so that programs are compared and not this machine's disk; durability as a scratch server has it.
// A restore writes each row several times over: without room in the redo log the fastest program waits for the disk most.
const SERVER_OPTIONS = {
  innodb_buffer_pool_size: "4G",
  innodb_redo_log_capacity: "8G",
  innodb_doublewrite: "OFF",
  innodb_adaptive_flushing: "OFF",
  innodb_max_dirty_pages_pct_lwm: "80",
  max_allowed_packet: "1G",
};
const SEAL = "zstd -1 -T2 -q | openssl enc -aes-256-ctr -pbkdf2 -pass pass:bench";
const UNSEAL = "openssl enc -d -aes-256-ctr -pbkdf2 -pass pass:bench | zstd -dcq";

/** Backup and restore of at least `gib` GiB of rows, against mysqldump, mydumper and the mysql client. */
export async function openMysqlBench(gib: number): Promise<Bench> {
  await using resources = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "resguardo-bench-"));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const source = resources.use(await startMysql({ options: SERVER_OPTIONS }));
  const target = resources.use(await startMysql({ options: SERVER_OPTIONS }));
  await makeBenchData(source.url, gib);
  const env = await writePolicy(folder, source, target);
  const contests = [
    await backupAgainstMysqldump(folder, source, env),
    await backupAgainstMydumper(folder, source, env),
    await restoreAgainstMysql(folder, source, target, env),
    await replayAgainstMysqlbinlog(resources),
    await shipAgainstMysqlbinlog(resources, folder, { seal: SEAL, unseal: UNSEAL }),
  ];
  const kept = resources.move();
  return { contests, measurements: [shipDelay(folder)], [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function backupAgainstMysqldump(folder: string, source: MysqlServer, env: Env): Promise<Contest> {
  const dump = await dumpCommand(source);
  return {
    id: "backup-mysqldump",
    ratioAtMost: 0.6,
    ours: () => ourBackup(folder, env),
    peer: () => runShell(`${dump} | ${SEAL} > ${shellQuote(join(folder, "dump.enc"))}`),
  };
}

async function backupAgainstMydumper(folder: string, source: MysqlServer, env: Env): Promise<Contest> {
  const output = join(folder, "mydumper");
  const options = ["--database=bench", "--threads=2", "--compress", `--outputdir=${output}`];
  const { command, env: peerEnv } = await mydumper([...loginOf(source), ...options]);
  return {
    id: "backup-mydumper",
    ratioAtMost: 0.3,
    ours: () => ourBackup(folder, env),
    peer: async () => {
      await rm(output, { recursive: true, force: true });
      return runShell(command.map(shellQuote).join(" "), peerEnv);
    },
  };
}

async function restoreAgainstMysql(
  folder: string,
  source: MysqlServer,
  target: MysqlServer,
  env: Env,
): Promise<Contest> {
  const dump = join(folder, "dump.sql");
  let isPrepared = false;
  const prepare = async () => {
    if (!isPrepared) {
      await runShell(`${await dumpCommand(source)} > ${shellQuote(dump)}`);
      await ourBackup(folder, env);
      isPrepared = true;
    }
    await dropSchema(target);
  };
  return {
    id: "restore-mysql",
    ratioAtMost: 0.35,
    ours: async () => {
      await prepare();
      return runCli(["restore", "bench", "--target", "env:BENCH_TARGET_URL", "--scratch"], env);
    },
    peer: async () => {
      await prepare();
      const client = await mysqlClient("mysql", [...loginOf(target), "--max-allowed-packet=1G"]);
      return runShell(`${client.map(shellQuote).join(" ")} < ${shellQuote(dump)}`);
    },
  };
}

type Env = Readonly<Record<string, string>>;

/** A backup into an empty vault. */
async function ourBackup(folder: string, env: Env) {
  await rm(join(folder, "vault"), { recursive: true, force: true });
  return runCli(["backup", "bench"], env);
}

async function dumpCommand(server: MysqlServer): Promise<string> {
  // As by default, the dump keeps itself out of the target's binlog, and so do we (`--scratch`). The GTIDs are a comment,
  // for a second load of them is refused.
  const options = ["--single-transaction", "--set-gtid-purged=COMMENTED", "--databases", "bench"];
  return (await mysqlClient("mysqldump", [...loginOf(server), ...options])).map(shellQuote).join(" ");
}

function loginOf(server: MysqlServer): string[] {
  const { hostname, port, username, password } = new URL(server.url);
  return [`--host=${hostname}`, `--port=${port}`, `--user=${username}`, `--password=${decodeURIComponent(password)}`];
}

async function dropSchema(server: MysqlServer): Promise<void> {
  const connection = await createConnection(server.url);
  await connection.query("DROP DATABASE IF EXISTS bench");
  await connection.end();
}

async function writePolicy(folder: string, source: MysqlServer, target: MysqlServer): Promise<Env> {
  const keys = join(folder, "keys");
  await mkdir(folder, { recursive: true });
  await initKeys(keys);
  const policy = {
    environment: "bench",
    vaults: { primary: { kind: "directory", path: "vault" } },
    keys: {
      encrypt: { kind: "file", publicKey: "keys/encrypt.pub.pem", privateKey: { env: "BENCH_DECRYPT_KEY" } },
      breakGlass: { publicKey: "keys/break-glass.pub.pem" },
      sign: { kind: "file", publicKey: "keys/sign.pub.pem", privateKey: { env: "BENCH_SIGN_KEY" } },
    },
    sources: [
      {
        name: "bench",
        kind: "mysql",
        url: { env: "BENCH_SOURCE_URL" },
        databases: ["bench"],
        vaults: ["primary"],
        rpo: "15m",
        rto: "1h",
        schedule: { full: "0 0 3 * * *" },
      },
    ],
  };
  await writeFile(join(folder, "policy.json"), JSON.stringify(policy));
  return {
    RESGUARDO_POLICY: join(folder, "policy.json"),
    BENCH_SOURCE_URL: source.url,
    BENCH_TARGET_URL: target.url,
    BENCH_DECRYPT_KEY: join(keys, "encrypt.key.pem"),
    BENCH_SIGN_KEY: join(keys, "sign.key.pem"),
  };
}
