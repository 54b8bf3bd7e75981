import type { Connection, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LogFields, Logger } from "../../../lib/core/log.ts";
import { silentLogger } from "../../../lib/core/log.ts";
import type { RestoreRequest } from "../../../lib/sources/engine.ts";
import { compareMysql } from "../../../lib/sources/mysql/compare.ts";
import { finishRestore, removeRestored } from "../../../lib/sources/mysql/finish.ts";
import { planMysqlRestore } from "../../../lib/sources/mysql/plan.ts";
import { restoreMysql } from "../../../lib/sources/mysql/restore.ts";
import type { MemoryBackup } from "../../support/memory-backup.ts";
import { backUp, restoreRequest } from "../../support/mysql-engine.ts";
import { readValues } from "../../support/mysql-values.ts";
import { connectTo, createUser, startTestMysql, type TestMysql } from "../../support/mysql.ts";

const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0")).join("");

const SCRIPT = [
  "CREATE DATABASE shop",
  "USE shop",
  `CREATE TABLE mixed (id INT PRIMARY KEY, i BIGINT UNSIGNED, f FLOAT, d DOUBLE, n DECIMAL(65,30), b BIT(64), t TIME(6), dt DATETIME(6), y YEAR, bytes BLOB,
     s VARCHAR(300) CHARACTER SET latin1, u TEXT CHARACTER SET utf16, e ENUM('', 'a''b', '\\\\N'), m SET('x', 'ü'), j JSON, g GEOMETRY, v VECTOR(2), c INT AS (id + 1), h INT INVISIBLE)`,
  `INSERT INTO mixed (id, i, f, d, n, b, t, dt, y, bytes, s, u, e, m, j, g, v, h) VALUES
     (1, 18446744073709551615, -0.0e0, 4.9406564584124654e-324, -0.000000000000000000000000000001, X'FFFFFFFFFFFFFFFF', '-838:59:59', '9999-12-31 23:59:59.999999', 2155,
       X'${ALL_BYTES}', X'${ALL_BYTES}', 'x''y"\\\\z\\n\\t\\0😀', '\\\\N', 'x,ü', JSON_OBJECT('q', "it's \\\\ ü", 'd', 1.50), ST_GeomFromText('POINT(1 2)', 4326), TO_VECTOR('[1, -0.5]'), 9),
     (2, 12594, 16777216, 0.1, 1.5, 39, '00:00:00.000001', '1000-01-01', 1901, '\\\\N', '\\\\N', '', '', '', '"\\\\u0000"', NULL, NULL, NULL),
     (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (0, 0, 0, 0, 0, 0, 0, '2000-01-01', 2000, '', '', NULL, 1, 0, 'null', NULL, NULL, 0)`,
  "CREATE TABLE many (a INT, b VARCHAR(50))",
  "INSERT INTO many WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) SELECT i, CONCAT('it''s ', i) FROM n",
  "CREATE TABLE wide (id INT PRIMARY KEY, b LONGBLOB)",
  "INSERT INTO wide VALUES (1, REPEAT(X'00FF275C', 1000000)), (2, REPEAT('plain', 1000000))",
];

let source: TestMysql;
let target: TestMysql;
let before: Connection;
let after: Connection;
let backup: MemoryBackup;
/** A user that may restore, and not change global settings. */
let limited: string;

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql({ local_infile: "OFF" })]);
  before = await connectTo(source);
  after = await connectTo(target);
  await before.query("SET SESSION cte_max_recursion_depth = 100000");
  for (const statement of SCRIPT) await before.query(statement);
  backup = await backUp(source.url);
  limited = await createUser(target, ["SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX, DROP ON *.*"]);
});

afterAll(async () => {
  await Promise.all([before?.end(), after?.end()]);
  await Promise.all([source?.stop(), target?.stop()]);
});

beforeEach(async () => {
  await removeRestored(restoreRequest(target.url), backup);
  await after.query("DROP DATABASE IF EXISTS shop");
});

async function localInfile(): Promise<unknown> {
  const [[row]] = await after.query<RowDataPacket[]>("SELECT @@global.local_infile AS on_off");
  return row?.["on_off"];
}

/** A logger that keeps the names of its events. */
function recorder(): { logger: Logger; events: string[] } {
  const events: string[] = [];
  const note = (event: string, _fields?: LogFields): void => void events.push(event);
  const logger: Logger = { ...silentLogger, debug: note, info: note, warn: note, error: note, child: () => logger };
  return { logger, events };
}

async function expectWhole(request: RestoreRequest): Promise<void> {
  expect((await compareMysql(request, backup)).filter(({ ok }) => !ok)).toEqual([]);
  for (const table of ["mixed", "many", "wide"]) {
    expect(await readValues(after, "shop", table)).toEqual(await readValues(before, "shop", table));
  }
}

describe("a target with local_infile off", () => {
  test("gets rows by INSERT, byte for byte, where the account can't switch it on", async () => {
    const { logger, events } = recorder();
    const request = restoreRequest(limited, { logger });
    await restoreMysql(request, backup);
    await expectWhole(request);
    await finishRestore(request, backup);
    expect(events).toContain("rows-by-insert");
    expect(await localInfile()).toBe(0);
  });

  test("has it on for the time of the restore where the account may, and off again after it", async () => {
    const { logger, events } = recorder();
    let during: unknown;
    const request = restoreRequest(target.url, { logger, progress: () => void (during ??= localInfile()) });
    await restoreMysql(request, backup);
    await expectWhole(request);
    await finishRestore(request, backup);
    expect(events).not.toContain("rows-by-insert");
    expect(await during).toBe(1);
    expect(await localInfile()).toBe(0);
  });

  test("has it off again after an interrupted restore was gone on with", async () => {
    const stopped = new AbortController();
    const request = restoreRequest(target.url, {
      signal: stopped.signal,
      progress: () => stopped.abort(new Error("stopped")),
    });
    await expect(restoreMysql(request, backup)).rejects.toThrow();
    expect(await localInfile()).toBe(1);
    const again = restoreRequest(target.url);
    await restoreMysql(again, backup);
    await finishRestore(again, backup);
    expect(await localInfile()).toBe(0);
  });

  test("has it off again after an interrupted restore was removed", async () => {
    const stopped = new AbortController();
    const request = restoreRequest(target.url, {
      signal: stopped.signal,
      progress: () => stopped.abort(new Error("stopped")),
    });
    await expect(restoreMysql(request, backup)).rejects.toThrow();
    await removeRestored(restoreRequest(target.url), backup);
    expect(await localInfile()).toBe(0);
    const [rows] = await after.query("SHOW DATABASES LIKE 'shop'");
    expect(rows).toEqual([]);
  });

  test("is told in the plan what switching it on would take", async () => {
    const plan = await planMysqlRestore(restoreRequest(limited), backup);
    expect(plan.findings).toContainEqual(
      expect.objectContaining({
        setting: "local_infile",
        found: "OFF",
        ok: false,
        level: "advised",
        change: "SET GLOBAL local_infile = ON",
      }),
    );
  });
});
