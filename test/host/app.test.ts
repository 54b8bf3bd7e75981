import { createHmac } from "node:crypto";
import { QueueServiceClient, type QueueClient } from "@azure/storage-queue";
import { createConnection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeShop } from "../../local/demo/shop.ts";
import { startHostProcess, type HostProcess } from "../../local/host/host-process.ts";
import { projectRoot } from "../../local/servers/cache.ts";
import type { Alert } from "../../lib/freshness/alert.ts";
import type { FreshnessBody } from "../../lib/freshness/answer.ts";
import { listRunRecords } from "../../lib/vault/run-record.ts";
import { startTestAzurite, type TestAzurite } from "../support/azurite.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpReceiver, type HttpReceiver } from "../support/http-receiver.ts";
import { startTestMysql, type TestMysql } from "../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../support/workspace.ts";

// The compiled app as it is deployed, in the embedded host, with a real MySQL, a real Azurite and a real HTTP receiver.

const NEVER = "0 0 0 1 1 *";
let servers: { source: TestMysql; scratch: TestMysql; azurite: TestAzurite; receiver: HttpReceiver };
let workspace: Workspace;
let host: HostProcess;
let jobs: QueueClient;
const lines: string[] = [];

beforeAll(async () => {
  const [source, scratch, azurite, receiver] = await Promise.all([
    startTestMysql(),
    startTestMysql(),
    startTestAzurite(),
    startHttpReceiver(),
  ]);
  servers = { source, scratch, azurite, receiver };
  await makeShop(source.url);
  workspace = await makeWorkspace(
    {
      SHOP_URL: source.url,
      SCRATCH_URL: scratch.url,
      STORAGE: azurite.connectionString,
      HOOK_URL: receiver.url,
      HOOK_SECRET: "shared",
    },
    {
      databases: ["shop"],
      schedule: { full: NEVER },
      restoreTests: [{ kind: "from-zero", schedule: NEVER, target: { env: "SCRATCH_URL" } }],
    },
    {
      vaults: {
        primary: { kind: "azure-blob", connectionString: { env: "STORAGE" }, container: "resguardo" },
        offsite: { kind: "directory", path: "offsite" },
      },
      alerts: { webhook: { url: { env: "HOOK_URL" }, secret: { env: "HOOK_SECRET" } } },
    },
  );
  host = await startHostProcess({
    appRoot: projectRoot(),
    port: 0,
    connectionString: azurite.connectionString,
    env: workspace.env,
    sink: (_level, line) => lines.push(line),
  });
  jobs = QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient("jobs");
  await jobs.createIfNotExists();
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await workspace[Symbol.asyncDispose]();
  const { source, scratch, azurite, receiver } = servers;
  await Promise.all([source.stop(), scratch.stop(), azurite.stop(), receiver[Symbol.asyncDispose]()]);
});

async function get(path: string): Promise<{ status: number; body: FreshnessBody }> {
  const response = await fetch(`${host.url}${path}`);
  return { status: response.status, body: (await response.json()) as FreshnessBody };
}

async function runTimer(name: string): Promise<void> {
  const response = await fetch(`${host.url}/admin/functions/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: "" }),
  });
  expect(response.status).toBe(202);
}

async function send(message: string): Promise<void> {
  await jobs.sendMessage(Buffer.from(message).toString("base64"));
}

async function receiptsOf(job: string) {
  const context = await workspace.open();
  const vault = context.vaults.get("offsite");
  if (!vault) throw new Error("the policy has no offsite vault");
  const runs = await listRunRecords({ vault, source: "shop", trusted: await context.trustedKeys() });
  return runs.flatMap((run) => (run.state === "valid" && run.content.job === job ? [run.content] : []));
}

describe("the running app", () => {
  it("answers that it lives", async () => {
    const response = await fetch(`${host.url}/api/live`);
    expect([response.status, await response.json()]).toMatchObject([200, { live: true, tool: { name: "resguardo" } }]);
  });

  it("answers 503 with a reason while there is no backup, and 404 for a source that is not in the policy", async () => {
    const { status, body } = await get("/api/freshness");
    expect(status).toBe(503);
    expect(body.sources[0]?.vaults.map(({ state }) => state)).not.toContain("fresh");
    expect(await get("/api/freshness/nothing")).toMatchObject({
      status: 404,
      body: { error: { code: "SOURCE_UNKNOWN" } },
    });
  });

  it("tells the first breach to the webhook, signed", async () => {
    await runTimer("watch");
    const [request] = await eventually(() => servers.receiver.requests.length >= 2 && servers.receiver.requests, {
      describe: "an alert for each of the two vaults",
      deadlineMs: 60_000,
    });
    const timestamp = String(request?.headers["x-resguardo-timestamp"]);
    const expected = createHmac("sha256", "shared").update(`${timestamp}.${request?.body}`).digest("hex");
    expect(request?.headers["x-resguardo-signature"]).toBe(`sha256=${expected}`);
    expect(JSON.parse(request?.body ?? "")).toMatchObject({ v: 1, source: "shop", environment: "test" });
  });

  it("makes the timer's due backup through the queue, and is fresh then", async () => {
    await runTimer("backups");
    const fresh = await eventually(
      async () => {
        const answer = await get("/api/freshness/shop");
        return answer.status === 200 && answer;
      },
      { describe: "freshness to answer 200", deadlineMs: 120_000 },
    );
    expect(fresh.body.sources[0]).toMatchObject({
      state: "fresh",
      vaults: [
        { vault: "primary", reason: { code: "WITHIN_RPO" } },
        { vault: "offsite", reason: { code: "WITHIN_RPO" } },
      ],
    });
    const [receipt] = await receiptsOf("backup");
    expect(receipt).toMatchObject({ state: "done", details: { requestedBy: "timer", attempt: 1 } });
  });

  it("tells the webhook that it is resolved", async () => {
    await runTimer("watch");
    const resolved = await eventually(
      () => {
        const alerts = servers.receiver.requests.map(({ body }) => JSON.parse(body) as Alert);
        return alerts.filter(({ event }) => event === "resolved").length >= 2 && alerts;
      },
      { describe: "a resolution for each vault", deadlineMs: 60_000 },
    );
    expect(resolved.at(-1)).toMatchObject({ event: "resolved", lagSeconds: expect.any(Number) });
  });

  it("does the due work of a message once, however often it is delivered", async () => {
    const [first] = await receiptsOf("backup");
    const again = JSON.stringify({
      v: 1,
      job: "backup",
      source: "shop",
      requestedBy: "timer",
      dueAt: first?.startedAt,
    });
    await send(again);
    await eventually(() => lines.some((line) => line.includes("job-covered")), {
      describe: "the message to be covered",
      deadlineMs: 60_000,
    });
    expect(await receiptsOf("backup")).toHaveLength(1);
  });

  it("runs a drill from a message and leaves the scratch server empty", async () => {
    await send(JSON.stringify({ v: 1, job: "drill", test: "from-zero", source: "shop", requestedBy: "test" }));
    const [receipt] = await eventually(
      async () => {
        const receipts = await receiptsOf("drill-from-zero");
        return receipts.length > 0 && receipts;
      },
      { describe: "the receipt of the drill", deadlineMs: 120_000 },
    );
    expect(receipt).toMatchObject({ state: "done" });
    const connection = await createConnection(servers.scratch.url);
    const [schemas] = await connection.query("SHOW DATABASES");
    await connection.end();
    expect((schemas as { Database: string }[]).map(({ Database }) => Database).toSorted()).toEqual([
      "information_schema",
      "mysql",
      "performance_schema",
      "sys",
    ]);
  });

  it.each([
    ["not JSON", "{"],
    ["an unknown job", '{"v":1,"job":"erase","source":"shop","requestedBy":"test"}'],
    ["an unknown version", '{"v":2,"job":"backup","source":"shop","requestedBy":"test"}'],
  ])("keeps a message that is %s, with its code, instead of losing it", async (_what, message) => {
    const before = await poisoned();
    await send(message);
    const kept = await eventually(
      async () => {
        const now = await poisoned();
        return now.length > before.length && now;
      },
      { describe: "the message to be kept", deadlineMs: 60_000 },
    );
    expect(kept.map(({ error }) => error?.code)).toContain("MESSAGE_INVALID");
  });
});

async function poisoned(): Promise<{ error?: { code: string } }[]> {
  const vault = (await workspace.open()).vaults.get("primary");
  if (!vault) throw new Error("the policy has no primary vault");
  const records: { error?: { code: string } }[] = [];
  for await (const key of vault.storage.state.list("poison/")) {
    const record = await vault.storage.state.get(key);
    if (record) records.push(JSON.parse(record.value.toString("utf8")) as { error?: { code: string } });
  }
  return records;
}
