import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Logger, silentLogger } from "../../../lib/core/log.ts";
import { runJob } from "../../../lib/jobs/run-job.ts";
import { heldAfter } from "../../../lib/sources/mysql/binlog/log-position.ts";
import { logPositionOf } from "../../../lib/sources/mysql/binlog/log-stream.ts";
import type { Context } from "../../../lib/vault/context.ts";
import { segmentsOf, shipInto } from "../../support/log-fixture.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { executedGtids } from "../../support/server-log.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";
import { memoryVault } from "../../support/vault-fixture.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

/*
 * Connections that are open and carry nothing, as behind a firewall that forgot them: whatever waits for an answer then ends.
 */

let server: TestMysql;
let proxy: TcpProxy;
let workspace: Workspace;
let context: Context;
let url: string;

beforeAll(async () => {
  server = await startTestMysql();
  proxy = await startTcpProxy(server.port);
  const through = new URL(server.url);
  through.port = String(proxy.port);
  url = through.href;
  await run("CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY AUTO_INCREMENT, v INT)");
  workspace = await makeWorkspace({ SHOP_URL: url }, { log: { segmentEvery: "1s" } });
  context = await workspace.open();
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await workspace[Symbol.asyncDispose]();
  await server.stop();
});

async function run(sql: string): Promise<void> {
  await using connection = await connectTo(server);
  await connection.query(sql);
}

function ship(forSeconds: number, logger: Logger = silentLogger) {
  const message = { v: 1, job: "ship", source: "shop", requestedBy: "test", forSeconds } as const;
  const other = { drill: () => () => Promise.reject(new Error("no drill here")) };
  return runJob(message, other, context, { attempt: 1, logger });
}

/** Stalls the proxy as soon as the dump is about to begin. */
function stallingLogger(): Logger {
  return {
    ...silentLogger,
    info: (event) => {
      if (event === "ship-started") proxy.stall();
    },
    child: () => stallingLogger(),
  };
}

describe("a connection that is open and carries nothing", () => {
  it("ends the job within its time, with a receipt, and the next job goes on", async () => {
    await run("INSERT INTO shop.items (v) VALUES (1)");
    const started = performance.now();
    const outcome = await ship(1, stallingLogger());
    expect(performance.now() - started).toBeLessThan(75_000);
    if (outcome.state === "covered") throw new Error("covered");
    expect(outcome.receipt).toMatchObject({ job: "ship", state: "failed" });
    expect(["SOURCE_CONNECTION_LOST", "SOURCE_UNREACHABLE"]).toContain(outcome.failure?.code);
    proxy.resume();
    const next = await ship(0);
    expect(next).toMatchObject({ state: "ran", receipt: { state: "done", details: { figures: { gaps: null } } } });
  });

  it("is given up while the session is prepared, too", async () => {
    const vault = memoryVault();
    const stalling = shipInto(vault, url, {
      prepare: async (connection) => {
        proxy.stall();
        await connection.execute("DO 1");
      },
    });
    await expect(stalling).rejects.toMatchObject({ code: expect.stringMatching(/^SOURCE_/) });
    proxy.resume();
    await shipInto(vault, url);
    const last = (await segmentsOf(vault)).at(-1);
    expect(last && heldAfter(logPositionOf(last)).equals(await executedGtids(server))).toBe(true);
  });
});
