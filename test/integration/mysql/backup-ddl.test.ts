import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backupMysql } from "../../../lib/sources/mysql/backup.ts";
import { MemoryBackup } from "../../support/memory-backup.ts";
import { sourceContext } from "../../support/mysql-engine.ts";
import { connectTo, createDatabase, createUser, startTestMysql, type TestMysql, urlOf } from "../../support/mysql.ts";

let server: TestMysql;
let withoutLocks: string;

beforeAll(async () => {
  server = await startTestMysql();
  withoutLocks = await createUser(server, [
    "SELECT, SHOW VIEW, TRIGGER, EVENT ON *.*",
    "SHOW_ROUTINE ON *.*",
    "REPLICATION CLIENT ON *.*",
  ]);
});

afterAll(() => server.stop());

const TABLES = `
  CREATE TABLE big (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO big VALUES (1, 'a'), (2, 'b');
  CREATE TABLE other (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO other VALUES (3, 'c');
  CREATE TABLE spare LIKE big; INSERT INTO spare VALUES (9, 'z'); CREATE VIEW seen AS SELECT id FROM big`;

/** Backs up while `statements` run at the moment in which a blob is about to be written. */
async function backUpWhile(url: string, database: string, blobName: string, change: () => Promise<unknown>) {
  const backup = new MemoryBackup();
  const writer = {
    id: backup.id,
    writeBlob: async (name: string, plain: AsyncIterable<Uint8Array>) => {
      if (name === blobName) await change();
      return backup.writeBlob(name, plain);
    },
  };
  const context = sourceContext(url, { databases: [database], connections: 1 });
  return backup.commit(await backupMysql(context, writer));
}

async function run(database: string, sql: string): Promise<void> {
  await using connection = await connectTo(server, database);
  await connection.query(sql);
}

describe("a schema change between the snapshot and the rows", () => {
  it.each([
    ["a column added in place", "ALTER TABLE big ADD COLUMN w INT, ALGORITHM=INSTANT"],
    ["an index added", "ALTER TABLE big ADD INDEX (v)"],
    ["a table rebuilt", "ALTER TABLE big ENGINE=InnoDB, ALGORITHM=COPY"],
    ["a column renamed", "ALTER TABLE big RENAME COLUMN v TO w"],
    ["a table emptied", "TRUNCATE TABLE big"],
    ["a table dropped", "DROP TABLE big"],
    ["a table made again, the same", "DROP TABLE big; CREATE TABLE big (id INT PRIMARY KEY, v VARCHAR(20))"],
    ["a table swapped with one of the same definition", "RENAME TABLE big TO old, spare TO big"],
  ])("fails the backup: %s", async (_, sql) => {
    await using database = await createDatabase(server, TABLES);
    const change = () => run(database.name, sql);
    await expect(backUpWhile(withoutLocks, database.name, "schema.json", change)).rejects.toMatchObject({
      code: "SOURCE_DDL_DURING_BACKUP",
      retryable: true,
    });
  });

  it("does not fail it when the table was made afterwards", async () => {
    await using database = await createDatabase(server, TABLES);
    const change = () => run(database.name, "CREATE TABLE later (id INT)");
    const { manifest } = await backUpWhile(withoutLocks, database.name, "schema.json", change);
    expect(manifest.tables.map(({ name }) => name)).toEqual(["big", "other", "spare"]);
  });
});

describe("a schema change after a table was read", () => {
  it("neither waits nor fails the backup", async () => {
    await using database = await createDatabase(server, TABLES);
    const changed: string[] = [];
    // The first blob of rows holds some table; when the third one begins, that table has been read.
    const change = async () => {
      await using connection = await connectTo(server, database.name);
      await connection.query("SET lock_wait_timeout = 5");
      for (const name of ["big", "other", "spare"]) {
        await connection.query(`ALTER TABLE ${name} ADD COLUMN w INT`).then(
          () => changed.push(name),
          () => {},
        );
      }
    };
    await expect(backUpWhile(withoutLocks, database.name, "rows/000003", change)).resolves.toBeDefined();
    expect(changed).toHaveLength(2);
  });
});

describe("a schema change while the account may keep DDL away", () => {
  it("waits for the end of the backup, which succeeds", async () => {
    await using database = await createDatabase(server, TABLES);
    let altered: Promise<void> | undefined;
    let isAltered = false;
    const alter = async () => {
      await run(database.name, "ALTER TABLE big ADD COLUMN w INT");
      isAltered = true;
    };
    const { manifest } = await backUpWhile(urlOf(server), database.name, "schema.json", async () => {
      altered = alter();
      await using connection = await connectTo(server);
      await expect
        .poll(async () => {
          const [rows] = await connection.query(
            "SELECT COUNT(*) AS waiting FROM information_schema.processlist WHERE state LIKE 'Waiting for backup lock%'",
          );
          return (rows as { waiting: number }[])[0]?.waiting;
        })
        .toBe(1);
      expect(isAltered).toBe(false);
    });
    await altered;
    expect(manifest.tables.find(({ name }) => name === "big")?.rows).toBe(2);
  });
});
