import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mydumper } from "../../../local/servers/mydumper.ts";
import { mysqlClient } from "../../../local/servers/mysql-programs.ts";
import { type MysqlServer, startMysql } from "../../../local/servers/mysql.ts";
import type { Bench } from "../main.ts";
import type { Contenders } from "../pairs.ts";
import { runCli, runShell, shellQuote } from "../run-process.ts";
import { makeBenchData } from "./data.ts";
import { type BenchEnv, vaultIn, writePolicy } from "./policy.ts";
import { replayAgainstMysqlbinlog } from "./replay.ts";
import { loginOf, run } from "./servers.ts";
import { shipAgainstMysqlbinlog } from "./ship.ts";
import { shipDelay } from "./ship-delay.ts";
import { largeTransaction } from "./transaction.ts";
import { weekOfSegments } from "./week.ts";

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

/** Backup and restore of at least `gib` GiB of rows, and the log, against the tools that come with the server and mydumper. */
export async function openMysqlBench(gib: number): Promise<Bench> {
  await using resources = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "resguardo-bench-"));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const shared = resources.use(new AsyncDisposableStack());
  let rows: Promise<Rows> | undefined;
  const openRows = (): Promise<Rows> => (rows ??= makeRows(shared, join(folder, "rows"), gib));
  const kept = resources.move();
  return {
    contests: [
      { id: "backup-mysqldump", ratioAtMost: 0.6, open: async () => backupAgainstMysqldump(await openRows()) },
      { id: "backup-mydumper", ratioAtMost: 0.3, open: async () => backupAgainstMydumper(await openRows()) },
      { id: "restore-mysql", ratioAtMost: 0.35, open: async () => restoreAgainstMysql(await openRows()) },
      replayAgainstMysqlbinlog(join(folder, "replay")),
      shipAgainstMysqlbinlog(join(folder, "ship"), { seal: SEAL, unseal: UNSEAL }),
    ],
    measurements: [
      shipDelay(join(folder, "delay")),
      largeTransaction(join(folder, "transaction")),
      weekOfSegments(join(folder, "week")),
    ],
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** A server with rows, and one to restore them to. */
interface Rows {
  folder: string;
  source: MysqlServer;
  target: MysqlServer;
  env: BenchEnv;
}

async function makeRows(resources: AsyncDisposableStack, folder: string, gib: number): Promise<Rows> {
  const source = resources.use(await startMysql({ options: SERVER_OPTIONS }));
  const target = resources.use(await startMysql({ options: SERVER_OPTIONS }));
  await makeBenchData(source.url, gib);
  return { folder, source, target, env: await writePolicy(folder, source, target, "bench") };
}

async function backupAgainstMysqldump({ folder, source, env }: Rows): Promise<Contenders> {
  const dump = await dumpCommand(source);
  return {
    ours: () => ourBackup(folder, env),
    peer: () => runShell(`${dump} | ${SEAL} > ${shellQuote(join(folder, "dump.enc"))}`),
  };
}

async function backupAgainstMydumper({ folder, source, env }: Rows): Promise<Contenders> {
  const output = join(folder, "mydumper");
  const options = ["--database=bench", "--threads=2", "--compress", `--outputdir=${output}`];
  const { command, env: peerEnv } = await mydumper([...loginOf(source), ...options]);
  return {
    ours: () => ourBackup(folder, env),
    peer: async () => {
      await rm(output, { recursive: true, force: true });
      return runShell(command.map(shellQuote).join(" "), peerEnv);
    },
  };
}

async function restoreAgainstMysql({ folder, source, target, env }: Rows): Promise<Contenders> {
  const dump = join(folder, "dump.sql");
  await runShell(`${await dumpCommand(source)} > ${shellQuote(dump)}`);
  await ourBackup(folder, env);
  const empty = (): Promise<void> => run(target, "DROP DATABASE IF EXISTS bench");
  return {
    ours: async () => {
      await empty();
      return runCli(["restore", "bench", "--target", "env:BENCH_TARGET_URL", "--scratch"], env);
    },
    peer: async () => {
      await empty();
      const client = await mysqlClient("mysql", [...loginOf(target), "--max-allowed-packet=1G"]);
      return runShell(`${client.map(shellQuote).join(" ")} < ${shellQuote(dump)}`);
    },
  };
}

/** A backup into an empty vault. */
async function ourBackup(folder: string, env: BenchEnv) {
  await rm(vaultIn(folder), { recursive: true, force: true });
  return runCli(["backup", "bench"], env);
}

async function dumpCommand(server: MysqlServer): Promise<string> {
  // As by default, the dump keeps itself out of the target's binlog, and so do we (`--scratch`). The GTIDs are a comment,
  // for a second load of them is refused.
  const options = ["--single-transaction", "--set-gtid-purged=COMMENTED", "--databases", "bench"];
  return (await mysqlClient("mysqldump", [...loginOf(server), ...options])).map(shellQuote).join(" ");
}
