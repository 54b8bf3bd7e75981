import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AppError } from "../../../lib/core/errors.ts";
import { silentLogger } from "../../../lib/core/log.ts";
import { parseRestorePoint } from "../../../lib/restore/choose.ts";
import { planRestore, restoreSource, type RestoreOptions } from "../../../lib/restore/restore-source.ts";
import type { Context } from "../../../lib/vault/context.ts";
import { connectTo, createUser, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

/*
 * The log after the full backup: rows, a procedure and a view that name their own schema, a trigger of a definer that is not
 * there, an XA transaction that was prepared before the backup, and a row that needs a large packet.
 */

const LONG = 2_000_000;

let source: TestMysql;
let target: TestMysql;
let workspace: Workspace;
let context: Context;
/** Edges of the log, by what comes after them. */
const before: Record<string, string> = {};

beforeAll(async () => {
  [source, target] = await Promise.all([
    startTestMysql({ log_bin_trust_function_creators: "ON" }),
    startTestMysql({ max_allowed_packet: String(LONG), local_infile: "OFF" }),
  ]);
  workspace = await makeWorkspace({ SHOP_URL: source.url }, { databases: ["shop"] });
  context = await workspace.open();
  await run(
    source,
    `CREATE DATABASE shop; USE shop; CREATE TABLE items (id INT PRIMARY KEY, v LONGTEXT); INSERT INTO items VALUES (1, 'a');
     CREATE TABLE parts (id INT PRIMARY KEY);
     XA START 'open'; INSERT INTO parts VALUES (1); XA END 'open'; XA PREPARE 'open'`,
  );
  await command("backup");
  await step("rows", "INSERT INTO items VALUES (3, 'b')");
  await step("bodies", "CREATE PROCEDURE p() DELETE FROM shop.items; CREATE VIEW seen AS SELECT id FROM shop.items");
  await step("programs", "CREATE DEFINER = 'nobody'@'%' TRIGGER t BEFORE INSERT ON items FOR EACH ROW SET NEW.v = 'x'");
  await step("xa", "XA COMMIT 'open'");
  await step(
    "long",
    `DROP TRIGGER t; INSERT INTO items VALUES (4, ''); UPDATE items SET v = REPEAT('x', ${LONG}) WHERE id = 4`,
  );
  await command("ship");
});
afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await Promise.all([source.stop(), target.stop()]);
});

async function run(server: TestMysql, sql: string): Promise<void> {
  await using connection = await connectTo(server);
  await connection.query(sql);
}

async function ask(server: TestMysql, sql: string): Promise<string> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query({ sql, rowsAsArray: true });
  return (rows as unknown[][]).map(([value]) => String(value)).join(" ");
}

async function command(name: string): Promise<void> {
  const { exitCode, stderr } = await workspace.run([name, "shop"]);
  if (exitCode !== 0) throw new Error(stderr);
}

/** Runs statements, and remembers the first transaction of them. */
async function step(name: string, sql: string): Promise<void> {
  const executed = await ask(source, "SELECT @@gtid_executed");
  await run(source, `USE shop; ${sql}`);
  const added = await ask(source, `SELECT GTID_SUBTRACT(@@gtid_executed, '${executed}')`);
  before[name] = added.replace(/-\d+$/, "");
}

function request(to: string, options: Partial<RestoreOptions> = {}): RestoreOptions {
  return {
    source: "shop",
    point: parseRestorePoint(to),
    targetUrl: target.url,
    rename: new Map(),
    intoNonEmpty: false,
    users: false,
    connections: 2,
    scratch: true,
    logger: silentLogger,
    signal: new AbortController().signal,
    ...options,
  };
}

async function failureOf(to: string, options: Partial<RestoreOptions> = {}): Promise<AppError> {
  const failure: unknown = await restoreSource(context, request(to, options)).catch((error: unknown) => error);
  if (!(failure instanceof AppError)) throw new Error(`expected a failure, got ${JSON.stringify(failure)}`);
  expect(
    await ask(
      target,
      "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name REGEXP 'shop|again|resguardo'",
    ),
  ).toBe("0");
  return failure;
}

const again = new Map([["shop", "again"]]);

describe("a log that is looked at before anything is restored", () => {
  it("refuses what can't come under a new name, all at once, and lists it in the dry run", async () => {
    const to = `before:${before["programs"]}`;
    const obstacles = [
      { transaction: `transaction ${before["bodies"]}`, reason: "it names the schema `shop`", canBeLeftOut: true },
      { transaction: expect.stringContaining("transaction"), reason: "it names the schema `shop`", canBeLeftOut: true },
    ];
    expect(await planRestore(context, request(to, { rename: again }))).toMatchObject({ obstacles });
    const failure = await failureOf(to, { rename: again });
    expect(failure).toMatchObject({ code: "RESTORE_FAILED", hint: expect.stringContaining("--leave-out") });
    expect(failure.message).toContain("2 logged statements can't be replayed: transaction ");

    const outcome = await restoreSource(context, request(to, { rename: again, leaveOutRefused: true }));
    expect(outcome.replayed?.leftOut).toMatchObject([{ statements: 2 }]);
    await run(target, "DROP DATABASE again");
  });

  it("takes the same statements where nothing is renamed", async () => {
    const to = `before:${before["programs"]}`;
    expect(await restoreSource(context, request(to))).toMatchObject({ identical: true, replayed: { leftOut: [] } });
    await run(target, "DROP DATABASE shop");
  });

  it("says that an XA transaction was prepared before the backup, which nothing can leave out", async () => {
    const failure = await failureOf(`before:${before["long"]}`, { leaveOutRefused: true });
    expect(failure.code).toBe("RESTORE_FAILED");
    expect(failure.message).toContain(
      `transaction ${before["xa"]}: it commits an XA transaction that was prepared before`,
    );
  });

  it("names the packet that a row needs, and the switch for LOAD DATA", async () => {
    await using small = await otherLog();
    const packet = await small.failure();
    expect(packet).toMatchObject({ code: "TARGET_UNSUITABLE" });
    expect(packet.message).toMatch(/max_allowed_packet is \d+ bytes, required more than 2\d{6} bytes/);
    expect(packet.message).toContain("local_infile is OFF, required ON, for LOAD DATA in statement format");
  });

  it("names the privileges that its statements need, and those of their definers", async () => {
    const url = await createUser(target, [
      "SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX, DROP ON *.*",
      "SESSION_VARIABLES_ADMIN, SYSTEM_VARIABLES_ADMIN ON *.*",
    ]);
    const failure = await failureOf(`before:${before["xa"]}`, { targetUrl: url });
    expect(failure.code).toBe("SOURCE_GRANT_MISSING");
    for (const missing of [
      "CREATE ROUTINE",
      "CREATE VIEW",
      "TRIGGER ON `shop`.*",
      "BINLOG_ADMIN",
      "ALLOW_NONEXISTENT_DEFINER",
    ]) {
      expect(failure.hint).toContain(missing);
    }
  });
});

/** A second source whose log has a long row and LOAD DATA in statement format. */
async function otherLog() {
  const other = await startTestMysql({ local_infile: "ON" });
  const place = await makeWorkspace({ SHOP_URL: other.url });
  await run(other, "CREATE DATABASE big; CREATE TABLE big.t (id INT PRIMARY KEY, v LONGTEXT)");
  const shell = async (name: string): Promise<void> => {
    const { exitCode, stderr } = await place.run([name, "shop"]);
    if (exitCode !== 0) throw new Error(stderr);
  };
  await shell("backup");
  await run(other, `INSERT INTO big.t VALUES (1, REPEAT('x', ${LONG}))`);
  await using connection = await connectTo(other);
  await connection.query("SET SESSION binlog_format = STATEMENT");
  await connection.query({
    sql: "LOAD DATA LOCAL INFILE 'rows' INTO TABLE big.t",
    infileStreamFactory: () => Readable.from([Buffer.from("2\ta\n")]),
  });
  await shell("ship");
  const opened = await place.open();
  return {
    failure: async (): Promise<AppError> => {
      const failure: unknown = await restoreSource(opened, request("latest")).catch((error: unknown) => error);
      if (failure instanceof AppError) return failure;
      throw new Error("expected a failure");
    },
    [Symbol.asyncDispose]: async () => {
      await place[Symbol.asyncDispose]();
      await other.stop();
    },
  };
}
