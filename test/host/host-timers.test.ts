import { BlobServiceClient, type BlockBlobClient } from "@azure/storage-blob";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parseSchedule } from "../../lib/core/schedule.ts";
import { startTestAzurite, type TestAzurite } from "../support/azurite.ts";
import { eventually } from "../support/eventually.ts";
import { type FixtureFolder, type FixtureHost, fixtureFolder, startFixtureHost } from "../support/host.ts";

const EACH_SECOND = "* * * * * *";
const YEARLY = parseSchedule("0 0 0 1 1 *");

let azurite: TestAzurite;
let folder: FixtureFolder;
let hosts: FixtureHost[];
let yearlyStatus: BlockBlobClient;

beforeAll(async () => {
  azurite = await startTestAzurite();
  yearlyStatus = BlobServiceClient.fromConnectionString(azurite.connectionString)
    .getContainerClient("azure-webjobs-hosts")
    .getBlockBlobClient("timers/embedded/Host.Functions.yearly/status");
});

afterAll(() => azurite?.stop());

beforeEach(async () => {
  folder = await fixtureFolder();
  hosts = [];
});

afterEach(async () => {
  await Promise.all(hosts.map((host) => host.stop()));
  await folder[Symbol.asyncDispose]();
});

async function start(tick?: string): Promise<FixtureHost> {
  const host = await startFixtureHost({
    connectionString: azurite.connectionString,
    folder,
    ...(tick && { tick }),
  });
  hosts.push(host);
  return host;
}

async function recorded(event: string, count: number, deadlineMs = 20_000) {
  return eventually(
    async () => {
      const records = await folder.records(event);
      return records.length >= count && records;
    },
    { describe: `${count} records of ${event}`, deadlineMs },
  );
}

interface StoredStatus {
  Last: string;
  Next: string;
  LastUpdated: string;
}

async function readStatus(): Promise<StoredStatus> {
  return JSON.parse((await yearlyStatus.downloadToBuffer()).toString()) as StoredStatus;
}

describe("a timer", () => {
  test("of each second runs each second, without a status", async () => {
    await start(EACH_SECOND);
    const ticks = await recorded("tick", 4);
    const seconds = ticks.map(({ at }) => Math.floor(at / 1000));
    expect(new Set(seconds).size).toBe(ticks.length);
    expect(ticks[0]?.timer).toMatchObject({ scheduleStatus: null, isPastDue: false });
  });

  test("that is new waits for its first slot, and has that slot recorded", async () => {
    await start();
    const status = await eventually(readStatus, { describe: "the status of the timer" });
    expect(status.Last).toBe("0001-01-01T00:00:00");
    expect(new Date(status.Next)).toEqual(YEARLY.next(new Date()));
    expect(await folder.records("yearly")).toEqual([]);
  });

  test("whose slot passed while no host was up runs once, past due, when one is", async () => {
    const last = new Date("2020-05-01T00:00:00Z");
    const missed = YEARLY.next(last);
    await writeStatus({ Last: last, Next: missed, LastUpdated: last });
    const first = await start();
    const [run] = await recorded("yearly", 1);
    expect(run?.timer).toMatchObject({ isPastDue: true, scheduleStatus: { next: missed?.toISOString() } });
    const updated = await eventually(
      async () => {
        const status = await readStatus();
        return status.Last !== last.toISOString() && status;
      },
      { describe: "the status after the run" },
    );
    expect(new Date(updated.Next)).toEqual(YEARLY.next(new Date()));

    await first.stop();
    await start();
    await eventually(async () => (await folder.records("app-started")).length === 2, { describe: "the second host" });
    await hosts[1]?.stop();
    expect(await folder.records("yearly")).toHaveLength(1);
  });

  test("whose schedule changed while no host was up does not make up for the new schedule's slots", async () => {
    const last = new Date("2020-05-01T00:00:00Z");
    await writeStatus({ Last: last, Next: new Date("2020-06-01T00:00:00Z"), LastUpdated: last });
    await start();
    const status = await eventually(
      async () => {
        const found = await readStatus();
        return found.LastUpdated !== last.toISOString() && found;
      },
      { describe: "the status to be renewed" },
    );
    expect(new Date(status.Next)).toEqual(YEARLY.next(new Date()));
    expect(await folder.records("yearly")).toEqual([]);
  });
});

describe("two hosts on one storage account", () => {
  test("run a timer on one of them, and the other takes over when that one is killed", async () => {
    const [first, second] = [await start(EACH_SECOND), await start(EACH_SECOND)];
    const ticks = await recorded("tick", 3);
    const runner = ticks[0]?.pid === first.pid ? first : second;
    const other = runner === first ? second : first;
    expect(new Set(ticks.map(({ pid }) => pid))).toEqual(new Set([runner.pid]));
    await runner.kill();
    await eventually(async () => (await folder.records("tick")).some(({ pid }) => pid === other.pid), {
      describe: "a tick of the other host",
      deadlineMs: 60_000,
    });
  });

  test("hand a timer over when one of them stops, before its lease would have ended", async () => {
    const first = await start(EACH_SECOND);
    await recorded("tick", 1);
    const second = await start(EACH_SECOND);
    const stoppedAt = Date.now();
    await first.stop();
    const ticks = async () => (await folder.records("tick")).filter(({ pid }) => pid === second.pid);
    const [tick] = await eventually(async () => notEmpty(await ticks()), {
      describe: "a tick of the other host",
      deadlineMs: 30_000,
    });
    expect((tick?.at ?? Infinity) - stoppedAt).toBeLessThan(12_000);
  });
});

async function writeStatus(status: { Last: Date; Next: Date | undefined; LastUpdated: Date }): Promise<void> {
  const text = JSON.stringify(status);
  await yearlyStatus.upload(text, Buffer.byteLength(text));
}

function notEmpty<T>(items: T[]): T[] | undefined {
  return items.length > 0 ? items : undefined;
}
