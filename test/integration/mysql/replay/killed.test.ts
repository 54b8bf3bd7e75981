import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectTo, startTestMysql, type TestMysql } from "../../../support/mysql.ts";
import { lockName } from "../../../../lib/sources/mysql/replay/replay-session.ts";
import { eventually } from "../../../support/eventually.ts";
import { replay } from "../../../support/replay.ts";
import { seededRandom } from "../../../support/random.ts";
import { runWorkload } from "../../../support/random-workload.ts";
import { executedGtids, tableStates } from "../../../support/server-log.ts";

const SEED = 31;
const KILLS = 50;
const SCHEMAS = ["work", "work_0", "work_1", "work_2"];
const CHECKPOINTS = "resguardo_killed_test";
const PROGRAM = fileURLToPath(new URL("../../../support/replay-process.ts", import.meta.url));

let source: TestMysql;
let target: TestMysql;

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql({ server_id: 2 })]);
  await using connection = await connectTo(source);
  await runWorkload(connection, SEED, 300);
});

afterAll(async () => {
  await Promise.all([source.stop(), target.stop()]);
});

/** Temporary tables are gone, or a table without transactions is half written: such a restore says so, and starts over. */
const REFUSAL = "the replay was interrupted while";

/** Runs the replay in a process, and kills it some time after it began. */
async function replayUntilKilled(afterMs: number): Promise<"killed" | "refused" | "ended"> {
  const child = spawn(process.execPath, [PROGRAM, source.url, source.dataDir, target.url, CHECKPOINTS], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  let errors = "";
  child.stderr.on("data", (bytes: Buffer) => (errors += bytes.toString()));
  let timer: NodeJS.Timeout | undefined;
  child.stdout.once("data", () => (timer = setTimeout(() => child.kill("SIGKILL"), afterMs)));
  await ended;
  clearTimeout(timer);
  if (child.signalCode === "SIGKILL") return "killed";
  if (errors.includes(REFUSAL)) return "refused";
  if (child.exitCode !== 0) throw new Error(errors);
  return "ended";
}

describe("a replay killed at any instant", () => {
  it(`goes on without a duplicate or a loss, ${KILLS} times (seed ${SEED})`, { timeout: 170_000 }, async () => {
    const random = seededRandom(SEED);
    const expected = await tableStates(source, SCHEMAS);
    let [kills, finished] = [0, 0];
    while (kills < KILLS) {
      await startOver();
      let outcome = await replayUntilKilled(random() * 400);
      for (; outcome === "killed"; kills++) outcome = await replayUntilKilled(random() * 400);
      if (outcome === "refused") continue;
      expect(await tableStates(target, SCHEMAS), `after ${kills} kills`).toEqual(expected);
      finished += 1;
    }
    expect(finished).toBeGreaterThan(0);
  });
});

describe("a replay after another one", () => {
  const table = `${CHECKPOINTS}.replay`;

  it.each([
    ["a table without transactions may be half written", `UPDATE ${table} SET pending = '{"kind":"unrepeatable"}'`],
    ["temporary tables are gone", `UPDATE ${table} SET temporary_tables = 1`],
    ["its checkpoint was changed", `UPDATE ${table} SET pending = '{}'`],
  ])("refuses to go on where %s", async (_, change) => {
    await startOver();
    const from = await executedGtids(source);
    const request = { from, checkpointSchema: CHECKPOINTS };
    await replay(source, target, request);
    await using connection = await connectTo(target);
    await connection.query(change);
    await using work = await connectTo(source);
    await work.query("CREATE DATABASE IF NOT EXISTS work_2");
    await expect(replay(source, target, request)).rejects.toMatchObject({ code: "RESTORE_FAILED" });
  });

  it("waits until the server is done with the other's session", async () => {
    await startOver();
    const from = await executedGtids(source);
    await using other = await connectTo(target);
    const name = lockName(CHECKPOINTS);
    await other.query("DO GET_LOCK(?, 0)", [name]);
    const waiting = replay(source, target, { from, checkpointSchema: CHECKPOINTS });
    const [rows] = await eventually(
      async () => {
        const found = await other.query<RowDataPacket[]>(
          "SELECT state FROM information_schema.processlist WHERE state = 'User lock'",
        );
        return found[0].length > 0 && found;
      },
      { describe: "the replay to wait for the lock" },
    );
    expect(rows).toHaveLength(1);
    expect(await tableStates(target, [CHECKPOINTS])).toEqual({});
    await other.query("DO RELEASE_LOCK(?)", [name]);
    expect(await waiting).toMatchObject({ transactions: 0, resumed: false });
  });
});

async function startOver(): Promise<void> {
  await using connection = await connectTo(target);
  for (const schema of [...SCHEMAS, CHECKPOINTS]) await connection.query(`DROP DATABASE IF EXISTS ${schema}`);
}
