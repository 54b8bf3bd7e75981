import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isTransactionHead, readTransactionHead } from "../../../../lib/sources/mysql/binlog/gtid-event.ts";
import { formatGtid, type Gtid, GtidSet } from "../../../../lib/sources/mysql/gtid-set.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../../support/mysql.ts";
import { seededRandom } from "../../../support/random.ts";
import { runWorkload } from "../../../support/random-workload.ts";
import { startReplica } from "../../../support/replica.ts";
import { replay } from "../../../support/replay.ts";
import { serverLog, tableStates } from "../../../support/server-log.ts";

const SEED = 20261122;
const INSTANTS = 20;
const SCHEMAS = ["work", "work_0", "work_1", "work_2"];

let source: TestMysql;
let target: TestMysql;

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql({ server_id: 2 })]);
});

afterAll(async () => {
  await Promise.all([source.stop(), target.stop()]);
});

/** GTIDs in the order of the log. */
async function loggedGtids(): Promise<Gtid[]> {
  const gtids: Gtid[] = [];
  for await (const { events } of serverLog(source)) {
    for (const event of events) {
      if (!isTransactionHead(event.type)) continue;
      const { gtid } = readTransactionHead(event);
      if (gtid !== undefined) gtids.push(gtid);
    }
  }
  return gtids;
}

describe("a replay beside a real replica", () => {
  it(`holds the same tables at ${INSTANTS} random GTIDs of a random workload (seed ${SEED})`, async () => {
    {
      await using connection = await connectTo(source);
      await runWorkload(connection, SEED, 400);
    }
    const gtids = await loggedGtids();
    const random = seededRandom(SEED);
    const picked = Array.from({ length: INSTANTS }, () => 10 + Math.floor(random() * (gtids.length - 10)));
    await using replica = await startReplica(source);
    for (const [round, index] of [...new Set(picked)].toSorted((a, b) => a - b).entries()) {
      const gtid = gtids[index];
      if (gtid === undefined) throw new Error("the log is shorter than it was");
      const edge = round % 2 === 0 ? "before" : "after";
      const expected = gtids
        .slice(0, edge === "before" ? index : index + 1)
        .reduce((set, one) => set.with(one), GtidSet.empty);
      await replica.runUntil(edge, gtid, expected);
      await dropAll();
      const report = await replay(source, target, {
        from: GtidSet.empty,
        stop: { kind: edge, gtid },
        checkpointSchema: "resguardo_replica_test",
      });
      const what = `${edge} ${formatGtid(gtid)}, ${index + 1} of ${gtids.length}`;
      expect(report.done.toString(), what).toBe(expected.toString());
      expect(await tableStates(target, SCHEMAS), what).toEqual(await tableStates(replica.server, SCHEMAS));
    }
  });
});

async function dropAll(): Promise<void> {
  await using connection = await connectTo(target);
  for (const schema of [...SCHEMAS, "resguardo_replica_test"])
    await connection.query(`DROP DATABASE IF EXISTS ${schema}`);
}
