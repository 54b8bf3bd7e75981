import type { RowDataPacket } from "mysql2/promise";
import { formatGtid, type Gtid, type GtidSet } from "../../lib/sources/mysql/gtid-set.ts";
import { eventually } from "./eventually.ts";
import { connectTo, startTestMysql, type TestMysql } from "./mysql.ts";
import { executedGtids } from "./server-log.ts";

export interface Replica extends AsyncDisposable {
  readonly server: TestMysql;
  /** Replicates up to the transaction, without it or with it, and stops there. `expected` is what it must then hold. */
  runUntil(edge: "before" | "after", gtid: Gtid, expected: GtidSet): Promise<void>;
}

/** A real replica of a server, stopped. */
export async function startReplica(source: TestMysql): Promise<Replica> {
  const server = await startTestMysql({ server_id: 77, replica_parallel_workers: 1, skip_replica_start: true });
  const url = new URL(source.url);
  await using connection = await connectTo(server);
  await connection.query(
    "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = ?, SOURCE_USER = 'root', SOURCE_PASSWORD = ?, SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1",
    [source.port, url.password],
  );
  return {
    server,
    runUntil: (edge, gtid, expected) => runUntil(server, edge, gtid, expected),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

async function runUntil(server: TestMysql, edge: "before" | "after", gtid: Gtid, expected: GtidSet): Promise<void> {
  await using connection = await connectTo(server);
  const until = edge === "before" ? "SQL_BEFORE_GTIDS" : "SQL_AFTER_GTIDS";
  await connection.query(`START REPLICA UNTIL ${until} = ?`, [formatGtid(gtid)]);
  await eventually(
    async () => {
      const [[status]] = await connection.query<RowDataPacket[]>("SHOW REPLICA STATUS");
      if (String(status?.["Last_SQL_Error"]) !== "") throw new Error(String(status?.["Last_SQL_Error"]));
      return status?.["Replica_SQL_Running"] === "No" && (await executedGtids(server)).equals(expected);
    },
    { describe: `the replica to stop ${edge} ${formatGtid(gtid)}`, deadlineMs: 60_000 },
  );
  await connection.query("STOP REPLICA");
}
