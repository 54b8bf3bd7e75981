import type { Connection, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AppError } from "../../../lib/core/errors.ts";
import { compareMysql } from "../../../lib/sources/mysql/compare.ts";
import { removeRestored } from "../../../lib/sources/mysql/finish.ts";
import { restoreMysql } from "../../../lib/sources/mysql/restore.ts";
import type { BackupReader } from "../../../lib/vault/backup-reader.ts";
import type { Manifest } from "../../../lib/vault/manifest.ts";
import type { MemoryBackup } from "../../support/memory-backup.ts";
import { backUp, restoreRequest } from "../../support/mysql-engine.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";

let source: TestMysql;
let target: TestMysql;
let after: Connection;
let backup: MemoryBackup;
let rowsBlob: string;

beforeAll(async () => {
  [source, target] = await Promise.all([startTestMysql(), startTestMysql()]);
  after = await connectTo(target);
  await using before = await connectTo(source);
  await before.query(
    `CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY, b VARCHAR(100), KEY (b));
     INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i, REPEAT('x', 50) FROM n`,
  );
  backup = await backUp(source.url);
  rowsBlob = backup.manifest.blobs.find(({ role }) => role === "rows")?.name ?? "";
});

afterAll(async () => {
  await after?.end();
  await Promise.all([source?.stop(), target?.stop()]);
});

beforeEach(async () => {
  await removeRestored(restoreRequest(target.url), backup);
});

/** The backup as a vault would give it when something is wrong with one blob. */
function reading(
  blob: string,
  read: () => AsyncGenerator<Buffer, void, void>,
  manifest: Manifest = backup.manifest,
): BackupReader {
  return { manifest, readBlob: (name) => (name === blob ? read() : backup.readBlob(name)) };
}

async function* failsAtTheEnd(blob: string): AsyncGenerator<Buffer, void, void> {
  yield* backup.readBlob(blob);
  throw new AppError("BLOB_DAMAGED", "sha256 is not what the manifest says");
}

async function* fails(code: "BLOB_MISSING" | "CHUNK_FORGED"): AsyncGenerator<Buffer, void, void> {
  yield* [];
  throw new AppError(code, "as a vault says it");
}

async function rowsOnTarget(): Promise<unknown> {
  const [[row]] = await after.query<RowDataPacket[]>("SELECT COUNT(*) AS n FROM shop.t");
  return row?.["n"];
}

describe("a restore from a damaged vault", () => {
  test("fails with the vault's code and lets no row in when a blob is not what it should be", async () => {
    const reader = reading(rowsBlob, () => failsAtTheEnd(rowsBlob));
    await expect(restoreMysql(restoreRequest(target.url), reader)).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
    expect(await rowsOnTarget()).toBe(0);
  });

  test.each(["BLOB_MISSING", "CHUNK_FORGED"] as const)(
    "fails with %s, and goes on when the blob can be read",
    async (code) => {
      const request = restoreRequest(target.url);
      await expect(
        restoreMysql(
          request,
          reading(rowsBlob, () => fails(code)),
        ),
      ).rejects.toMatchObject({ code });
      expect(await rowsOnTarget()).toBe(0);
      const checks = await compareMysql(request, backup);
      expect(checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(
        expect.arrayContaining(["`shop`.`t`: rows", "`shop`.`t`: fingerprint"]),
      );
      expect(await restoreMysql(request, backup)).toMatchObject({ continued: true, rows: 1000 });
      expect((await compareMysql(request, backup)).filter(({ ok }) => !ok)).toEqual([]);
    },
  );

  test("changes nothing on the target when the definitions can't be read", async () => {
    const reader = reading("schema.json", () => fails("CHUNK_FORGED"));
    await expect(restoreMysql(restoreRequest(target.url), reader)).rejects.toMatchObject({ code: "CHUNK_FORGED" });
    const [rows] = await after.query("SHOW DATABASES LIKE '%s%o%'");
    expect(rows).not.toContainEqual(expect.objectContaining({ Database: "shop" }));
  });

  test("refuses definitions of a newer version", async () => {
    const reader = reading("schema.json", async function* newer() {
      yield Buffer.from('{"version": 2}');
    });
    await expect(restoreMysql(restoreRequest(target.url), reader)).rejects.toMatchObject({ code: "MANIFEST_VERSION" });
  });

  test("refuses definitions that are not JSON", async () => {
    const reader = reading("schema.json", async function* broken() {
      yield Buffer.from("{");
    });
    await expect(restoreMysql(restoreRequest(target.url), reader)).rejects.toMatchObject({ code: "MANIFEST_INVALID" });
  });

  test("refuses a manifest that names fewer blobs than its rows need", async () => {
    const manifest = { ...backup.manifest, blobs: backup.manifest.blobs.filter(({ role }) => role === "schema") };
    await expect(
      restoreMysql(restoreRequest(target.url), { ...reading("", () => fails("BLOB_MISSING")), manifest }),
    ).rejects.toMatchObject({
      code: "MANIFEST_INVALID",
    });
  });

  test("fails when the target takes fewer rows than the blob holds", async () => {
    const pieces = async function* twice(): AsyncGenerator<Buffer, void, void> {
      yield* backup.readBlob(rowsBlob);
      yield* backup.readBlob(rowsBlob);
    };
    const manifest = structuredClone(backup.manifest);
    for (const blob of manifest.blobs) if (blob.name === rowsBlob) blob.rows = 2000;
    for (const table of manifest.tables) table.rows = 2000;
    await expect(restoreMysql(restoreRequest(target.url), reading(rowsBlob, pieces, manifest))).rejects.toMatchObject({
      code: "RESTORE_FAILED",
      message: expect.stringContaining("took 1000 of 2000"),
    });
    expect(await rowsOnTarget()).toBe(0);
  });

  test("tells a wrong password and a server that is not there apart", async () => {
    const wrong = new URL(target.url);
    wrong.password = "wrong";
    await expect(restoreMysql(restoreRequest(wrong.href), backup)).rejects.toMatchObject({
      code: "SOURCE_LOGIN_REFUSED",
    });
    await expect(restoreMysql(restoreRequest("mysql://root@127.0.0.1:1/"), backup)).rejects.toMatchObject({
      code: "SOURCE_UNREACHABLE",
    });
    await expect(restoreMysql(restoreRequest("postgres://root@127.0.0.1:1/"), backup)).rejects.toMatchObject({
      code: "SOURCE_URL_INVALID",
    });
  });
});
