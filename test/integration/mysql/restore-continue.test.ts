import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Connection, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RestoreRequest } from "../../../lib/sources/engine.ts";
import { compareMysql } from "../../../lib/sources/mysql/compare.ts";
import { finishRestore, removeRestored } from "../../../lib/sources/mysql/finish.ts";
import { restoreMysql } from "../../../lib/sources/mysql/restore.ts";
import type { MemoryBackup } from "../../support/memory-backup.ts";
import { backUp, restoreRequest } from "../../support/mysql-engine.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";

const CHILD = fileURLToPath(new URL("../../support/restore-child.ts", import.meta.url));
const SEED = 20261121;
const KILLS = 10;

/** Numbers in [0, 1) that are the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

let source: TestMysql;
let target: TestMysql;
let before: Connection;
let after: Connection;
let backup: MemoryBackup;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "resguardo-test-"));
  [source, target] = await Promise.all([
    startTestMysql({ event_scheduler: "OFF" }),
    startTestMysql({ event_scheduler: "OFF" }),
  ]);
  before = await connectTo(source);
  after = await connectTo(target);
  await before.query("SET SESSION cte_max_recursion_depth = 1000000; CREATE DATABASE shop; USE shop");
  // Rows without a key, all alike: one too many or too few shows.
  for (let number = 1; number <= 20; number++) {
    await before.query(
      `CREATE TABLE t${number} (a INT, b VARCHAR(100), ${number % 2 === 0 ? "id INT AUTO_INCREMENT PRIMARY KEY, " : ""}KEY (a), KEY (b(10)));
       INSERT INTO t${number} (a, b) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) SELECT i % 7, REPEAT('x', 50) FROM n;
       CREATE VIEW v${number} AS SELECT COUNT(*) AS n FROM t${number};
       CREATE TRIGGER g${number} BEFORE INSERT ON t${number} FOR EACH ROW SET NEW.a = 0;
       CREATE EVENT e${number} ON SCHEDULE EVERY 1 DAY DO DELETE FROM t${number}`,
    );
  }
  // More than one piece, so that a kill can fall in the middle of a blob.
  await before.query(
    "CREATE TABLE large (b VARCHAR(10000)); INSERT INTO large WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000) SELECT REPEAT('y', 10000) FROM n",
  );
  await before.query(
    "CREATE TABLE child (t INT, FOREIGN KEY (t) REFERENCES t2 (id)); INSERT INTO child VALUES (1), (2)",
  );
  backup = await backUp(source.url);
  await backup.save(folder);
});

afterAll(async () => {
  await Promise.all([before?.end(), after?.end()]);
  await Promise.all([source?.stop(), target?.stop()]);
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  await removeRestored(restoreRequest(target.url), backup);
  await after.query("SET foreign_key_checks = 0; DROP DATABASE IF EXISTS shop");
});

/** Runs the child, and kills it so many milliseconds after it began. Tells whether it was done before. */
async function runAndKill(afterMs: number): Promise<boolean> {
  const child = spawn(process.execPath, [CHILD, folder, target.url], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let timer: NodeJS.Timeout | undefined;
  let done = false;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === "begins") timer = setTimeout(() => child.kill("SIGKILL"), afterMs);
    done ||= line === "done";
  }
  await exited;
  clearTimeout(timer);
  return done;
}

async function expectWhole(request: RestoreRequest): Promise<void> {
  const checks = await compareMysql(request, backup);
  expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(checks.length).toBeGreaterThan(100);
}

/** Whether the restore came to its end, although it was killed before it could say so. */
async function isFinished(): Promise<boolean> {
  const [rows] = await after.query<RowDataPacket[]>("SHOW DATABASES LIKE 'shop'");
  return rows.length > 0 && (await schemas()).length === 0;
}

async function schemas(): Promise<string[]> {
  const [rows] = await after.query<RowDataPacket[]>("SHOW DATABASES LIKE 'resguardo%'");
  return rows.map((row) => String(Object.values(row)[0]));
}

describe("a restore that was killed", () => {
  test(
    `goes on where it stopped, whenever it is killed (${KILLS} times, seed ${SEED})`,
    { timeout: 300_000 },
    async () => {
      const next = random(SEED);
      const request = restoreRequest(target.url);
      let kills = 0;
      while (kills < KILLS) {
        if (!(await runAndKill(next() * 1800)) && !(await isFinished())) {
          kills++;
          continue;
        }
        await expectWhole(request);
        await after.query("SET foreign_key_checks = 0; DROP DATABASE shop");
      }
      const report = await restoreMysql(request, backup);
      await expectWhole(request);
      await finishRestore(request, backup);
      expect(report.rows).toBe(backup.manifest.totals.rows);
      expect(await schemas()).toEqual([]);
    },
  );

  test("does not load what is in a second time", async () => {
    const stopped = new AbortController();
    let bytes = 0;
    const request = restoreRequest(target.url, {
      signal: stopped.signal,
      progress: ({ doneBytes }) => {
        bytes = doneBytes;
        if (doneBytes > backup.manifest.totals.plainBytes * 0.7) stopped.abort(new Error("stopped by the test"));
      },
    });
    await expect(restoreMysql(request, backup)).rejects.toThrow();
    expect(bytes).toBeGreaterThan(0);
    let firstDone: number | undefined;
    const again = restoreRequest(target.url, { progress: ({ doneBytes }) => void (firstDone ??= doneBytes) });
    const report = await restoreMysql(again, backup);
    expect(report.continued).toBe(true);
    expect(firstDone).toBeGreaterThan(0);
    await expectWhole(again);
    await finishRestore(again, backup);
  });

  test("is not gone on with under other names, nor by another backup", async () => {
    const stopped = new AbortController();
    const request = restoreRequest(target.url, {
      signal: stopped.signal,
      progress: () => stopped.abort(new Error("stopped")),
    });
    await expect(restoreMysql(request, backup)).rejects.toThrow();
    const other = restoreRequest(target.url, { only: ["shop.t1"] });
    await expect(restoreMysql(other, backup)).rejects.toMatchObject({
      code: "TARGET_NOT_EMPTY",
      hint: expect.stringContaining("resguardo_restore_"),
    });
  });

  test("loads again what was dropped or emptied after it was loaded", async () => {
    const request = restoreRequest(target.url);
    await restoreMysql(request, backup);
    await after.query("SET foreign_key_checks = 0; DROP TABLE shop.t1, shop.large; TRUNCATE TABLE shop.t2");
    expect(await restoreMysql(request, backup)).toMatchObject({ continued: true });
    await expectWhole(request);
    await after.query("DROP DATABASE shop");
    await restoreMysql(request, backup);
    await expectWhole(request);
    await finishRestore(request, backup);
  });

  test("refuses to go on over rows that somebody else wrote", async () => {
    const stopped = new AbortController();
    const request = restoreRequest(target.url, {
      signal: stopped.signal,
      progress: () => stopped.abort(new Error("stopped")),
    });
    await expect(restoreMysql(request, backup)).rejects.toThrow();
    await after.query("INSERT INTO shop.child VALUES (77)");
    await expect(restoreMysql(restoreRequest(target.url), backup)).rejects.toMatchObject({ code: "TARGET_NOT_EMPTY" });
  });

  test("keeps a second run of the same restore out while it is at work", { timeout: 90_000 }, async () => {
    const first = restoreMysql(restoreRequest(target.url), backup);
    const second = restoreMysql(restoreRequest(target.url), backup);
    const reports = await Promise.all([first, second]);
    // One waited until the other was done, and found nothing left to do.
    expect(new Set(reports.map(({ continued }) => continued))).toEqual(new Set([false, true]));
    await expectWhole(restoreRequest(target.url));
  });
});
