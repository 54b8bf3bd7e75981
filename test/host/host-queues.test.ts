import { randomBytes } from "node:crypto";
import { type QueueClient, QueueServiceClient } from "@azure/storage-queue";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startTestAzurite, type TestAzurite } from "../support/azurite.ts";
import { eventually } from "../support/eventually.ts";
import { type FixtureFolder, type FixtureHost, fixtureFolder, startFixtureHost } from "../support/host.ts";

let azurite: TestAzurite;
let folder: FixtureFolder;
let hosts: FixtureHost[];
let work: QueueClient;
let poison: QueueClient;

beforeAll(async () => {
  azurite = await startTestAzurite();
  const service = QueueServiceClient.fromConnectionString(azurite.connectionString);
  work = service.getQueueClient("work");
  poison = service.getQueueClient("work-poison");
});

afterAll(() => azurite?.stop());

beforeEach(async () => {
  folder = await fixtureFolder();
  hosts = [];
  await Promise.all([work.createIfNotExists(), poison.createIfNotExists()]);
  await Promise.all([work.clearMessages(), poison.clearMessages()]);
});

afterEach(async () => {
  await Promise.all(hosts.map((host) => host.kill()));
  await folder[Symbol.asyncDispose]();
});

async function start(messageLeaseSeconds = 60): Promise<FixtureHost> {
  const host = await startFixtureHost({ connectionString: azurite.connectionString, folder, messageLeaseSeconds });
  hosts.push(host);
  return host;
}

async function send(message: unknown): Promise<string> {
  const text = typeof message === "string" ? message : JSON.stringify(message);
  return (await work.sendMessage(Buffer.from(text).toString("base64"))).messageId;
}

async function recorded(event: string, count: number) {
  return eventually(
    async () => {
      const records = await folder.records(event);
      return records.length >= count && records;
    },
    { describe: `${count} records of ${event}`, deadlineMs: 30_000 },
  );
}

async function queueToBeEmpty(queue: QueueClient): Promise<void> {
  await eventually(async () => (await queue.getProperties()).approximateMessagesCount === 0, {
    describe: `no message left in ${queue.name}`,
  });
}

describe("a message", () => {
  test("reaches the function with its metadata, and is deleted when the function succeeds", async () => {
    await start();
    const id = await send({ hello: "world" });
    expect(await recorded("work-finished", 1)).toMatchObject([{ message: { hello: "world" }, dequeueCount: 1 }]);
    expect(await folder.records("work-started")).toMatchObject([{ id }]);
    await queueToBeEmpty(work);
  });

  test("of plain text stays text, and one of bytes stays bytes", async () => {
    await start();
    await send("plain text");
    await work.sendMessage(Buffer.from([0xff, 0xfe, 0x00]).toString("base64"));
    const records = await recorded("work-finished", 2);
    expect(records.map(({ message }) => message)).toContain("plain text");
    expect(await folder.records("work-started")).toContainEqual(expect.objectContaining({ bytes: true }));
  });

  test("hides its own metadata behind its fields, as on Azure", async () => {
    await start();
    await send({ id: "mine", dequeueCount: 77 });
    expect(await recorded("work-started", 1)).toMatchObject([{ id: "mine", dequeueCount: 77 }]);
  });

  test("that fails is tried maxDequeueCount times, then moved to the poison queue", async () => {
    await start();
    await send({ fail: true });
    const moved = await eventually(async () => (await poison.receiveMessages()).receivedMessageItems[0], {
      describe: "the message in the poison queue",
    });
    expect(Buffer.from(moved.messageText, "base64").toString()).toBe('{"fail":true}');
    expect((await folder.records("work-started")).map(({ dequeueCount }) => dequeueCount)).toEqual([1, 2, 3]);
    expect(await folder.records("work-finished")).toEqual([]);
    await queueToBeEmpty(work);
  });

  test("that is not base64 goes to the poison queue unread", async () => {
    await start();
    await work.sendMessage("{not base64}");
    const moved = await eventually(async () => (await poison.receiveMessages()).receivedMessageItems[0], {
      describe: "the message in the poison queue",
    });
    expect(moved.messageText).toBe("{not base64}");
    expect(await folder.records("work-started")).toEqual([]);
  });

  test("stays with the host that works on it for longer than its lease", async () => {
    const leaseSeconds = 2;
    await Promise.all([start(leaseSeconds), start(leaseSeconds)]);
    await send({ gate: "long" });
    const at = Math.min(...(await recorded("work-started", 1)).map((record) => record.at));
    await eventually(() => Date.now() > at + 3 * leaseSeconds * 1000, { describe: "three leases to pass" });
    await folder.openGate("long");
    await recorded("work-finished", 1);
    await queueToBeEmpty(work);
    expect(await folder.records("work-started")).toHaveLength(1);
  });

  test("of a host that was killed is worked on by another after its lease", async () => {
    const gate = randomBytes(4).toString("hex");
    const first = await start(2);
    await send({ gate });
    await recorded("work-started", 1);
    await first.kill();
    const second = await start(2);
    await recorded("work-started", 2);
    await folder.openGate(gate);
    expect(await recorded("work-finished", 1)).toMatchObject([{ pid: second.pid, dequeueCount: 2 }]);
    await queueToBeEmpty(work);
  });
});

describe("the listener", () => {
  test("fetches no further batch while more messages than the threshold are worked on", async () => {
    for (let number = 0; number < 12; number++) await send({ number, gate: "batch" });
    await start();
    expect(await recorded("work-started", 4)).toHaveLength(4);
    await folder.openGate("batch");
    await recorded("work-finished", 12);
    await queueToBeEmpty(work);
  });

  test("picks up where it was when the queue appears only later", async () => {
    await work.delete();
    await start();
    await eventually(() => work.createIfNotExists(), { describe: "the queue to be made again" });
    await send({ late: true });
    expect(await recorded("work-finished", 1)).toMatchObject([{ message: { late: true } }]);
  });
});

describe("a queue output", () => {
  test("becomes one message for each element of an array", async () => {
    const host = await start();
    const body = JSON.stringify([{ number: 1 }, "two"]);
    const response = await fetch(`${host.url}/api/enqueue`, { method: "POST", body });
    expect(response.status).toBe(202);
    const records = await recorded("work-finished", 2);
    expect(records.map(({ message }) => message)).toEqual(expect.arrayContaining([{ number: 1 }, "two"]));
  });

  test("is made from what a function returns, over a connection of another name", async () => {
    await start();
    const forward = QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient("forward");
    await forward.createIfNotExists();
    await forward.sendMessage(Buffer.from('{"from":"forward"}').toString("base64"));
    expect(await recorded("work-finished", 1)).toMatchObject([{ message: { from: "forward" } }]);
  });
});
