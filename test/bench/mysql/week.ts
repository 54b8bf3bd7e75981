import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { newId } from "../../../lib/core/ids.ts";
import type { LogPosition } from "../../../lib/sources/mysql/binlog/log-position.ts";
import { type Context, openContext } from "../../../lib/vault/context.ts";
import { mapInOrder } from "../../../lib/vault/map-in-order.ts";
import { SegmentStore } from "../../../lib/vault/segment-store.ts";
import { logKey, OpenSegment, type SealedSegment } from "../../../lib/vault/segment-writer.ts";
import type { SegmentContent } from "../../../lib/vault/segment-manifest.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import type { MysqlServer } from "../../../local/servers/mysql.ts";
import { type Measurement, withRss } from "../measurement.ts";
import { runCli } from "../run-process.ts";
import { vaultIn, writePolicy } from "./policy.ts";
import { run, startPair } from "./servers.ts";

const SEGMENTS = 60_000;
const DAYS = 7;
const SECONDS_AT_MOST = 5;
const MS_PER_SEGMENT = (DAYS * 86_400_000) / SEGMENTS;
/** The server's own; GTIDs need any. */
const UUID = "5e3f0000-0000-4000-8000-000000000001";

/**
 * The log of a week in segments of ten seconds, each with one transaction, and a full backup a day: how long it takes to tell
 * the window and to plan a restore of its end, with the index and (`cold`) without it.
 */
export function weekOfSegments(folder: string): Measurement {
  return {
    id: "window-60000",
    run: async () => {
      await using resources = new AsyncDisposableStack();
      const { source, target } = await startPair(resources);
      const env = await writePolicy(folder, source, target, "shop");
      await run(source, "CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY)");
      for (let day = 0; day < DAYS; day++) {
        await standAt(source, 1 + Math.floor((day * SEGMENTS) / DAYS));
        await runCli(["backup", "bench"], env);
      }
      await fill(await openContext(env), folder);
      const window = () => runCli(["window", "bench"], env);
      const plan = () => runCli(["restore", "bench", "--target", "env:BENCH_TARGET_URL", "--dry-run"], env);
      const cold = await window();
      const [listed, planned] = [await window(), await plan()];
      await forgetIndex(await openContext(env));
      const coldPlan = await plan();
      const figures = {
        windowSeconds: listed.seconds,
        planSeconds: planned.seconds,
        coldWindowSeconds: cold.seconds,
        coldPlanSeconds: coldPlan.seconds,
      };
      const found = withRss(figures, { window: listed.rssMb, plan: planned.rssMb, cold: cold.rssMb });
      return { ...found, atMost: { ...found.atMost, windowSeconds: SECONDS_AT_MOST, planSeconds: SECONDS_AT_MOST } };
    },
  };
}

async function forgetIndex(context: Context): Promise<void> {
  for (const { storage } of context.vaults.values()) {
    for (const key of await Array.fromAsync(storage.state.list("log-index/"))) await storage.state.remove(key);
  }
}

/** The server has executed that many transactions. */
async function standAt(source: MysqlServer, transactions: number): Promise<void> {
  await run(source, `RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '${UUID}:1-${transactions}'`);
}

async function fill(context: Context, folder: string): Promise<void> {
  const [vault] = context.vaults.values();
  if (vault === undefined) throw new Error("the policy has no vault");
  const [signer, recipients] = await Promise.all([context.signer(), context.recipients()]);
  const { clock } = context;
  const store = new SegmentStore({
    vaults: [withoutSync(vault, folder)],
    source: "bench",
    signer,
    recipients,
    clock,
    previous: new Map(),
    signal: new AbortController().signal,
  });
  const startMs = clock().getTime() - DAYS * 86_400_000;
  const ids = Array.from({ length: SEGMENTS }, (_, index) => newId(new Date(startMs + index * MS_PER_SEGMENT)));
  const sealOne = async (index: number): Promise<SealedSegment> => {
    const at = new Date(startMs + index * MS_PER_SEGMENT);
    const segment = new OpenSegment({
      id: ids[index] ?? "",
      source: { name: "bench", kind: "mysql" },
      environment: context.policy.environment,
      policyHash: context.policyHash,
      tool: context.tool,
      key: logKey(recipients, clock()),
      clock: () => at,
    });
    await segment.write(Buffer.alloc(500, `${index} `));
    return segment.close(contentOf(index, at, ids[index - 1]));
  };
  for await (const sealed of mapInOrder(ids.keys(), 8, sealOne)) await store.store(sealed);
}

function contentOf(index: number, at: Date, previousId: string | undefined): SegmentContent {
  const time = at.toISOString().replace("Z", "000Z");
  const [from, to] = [1000 + index * 500, 1500 + index * 500];
  const position: LogPosition = {
    serverUuid: UUID,
    gtidMode: "ON",
    before: `${UUID}:1-${index + 1}`,
    added: `${UUID}:${index + 2}`,
    runs: [{ file: "binlog.000001", from, to }],
    formatDescription: Buffer.alloc(120).toString("base64"),
    resumesTransaction: false,
    unfinishedBytes: 0,
    boundary: { file: "binlog.000001", offset: to },
    end: { file: "binlog.000001", offset: to },
  };
  return {
    server: { kind: "mysql", version: "9.7.4" },
    follows:
      previousId === undefined
        ? { kind: "start", reason: "first", message: "the first" }
        : { kind: "segment", id: previousId },
    firstCommitAt: time,
    lastCommitAt: time,
    caughtUpAt: time,
    transactions: 1,
    isComplete: true,
    position: { ...position },
  };
}

/** Writes blobs without waiting for the disk: so many syncs would take an hour, and nobody needs them here. */
function withoutSync(vault: Vault, folder: string): Vault {
  const create: Vault["storage"]["data"]["create"] = async (name, data) => {
    const path = join(vaultIn(folder), "data", name);
    const bytes = data instanceof Uint8Array ? data : Buffer.concat(await Array.fromAsync(data));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes, { flag: "wx" });
    return { sizeBytes: bytes.length, sha256: "" };
  };
  return { ...vault, storage: { ...vault.storage, data: { ...vault.storage.data, create } } };
}
