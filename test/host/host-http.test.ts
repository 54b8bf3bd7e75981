import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestAzurite, type TestAzurite } from "../support/azurite.ts";
import { eventually } from "../support/eventually.ts";
import { type FixtureFolder, type FixtureHost, fixtureFolder, startFixtureHost } from "../support/host.ts";

let azurite: TestAzurite;
let folder: FixtureFolder;
let host: FixtureHost;

beforeAll(async () => {
  azurite = await startTestAzurite();
  folder = await fixtureFolder();
  host = await startFixtureHost({
    connectionString: azurite.connectionString,
    folder,
  });
});

afterAll(async () => {
  await host?.stop();
  await azurite?.stop();
  await folder?.[Symbol.asyncDispose]();
});

describe("an HTTP function", () => {
  test("gets parameters, query, headers and body, and answers with status, headers, cookies and body", async () => {
    const response = await fetch(`${host.url}/api/echo/42/a%20b?q=1&q=2&r=%C3%A9`, {
      method: "POST",
      headers: { "x-sent": "sent" },
      body: "the body",
    });
    expect(response.status).toBe(201);
    expect(response.headers.get("x-fixture")).toBe("yes");
    expect(response.headers.getSetCookie()).toEqual(["seen=a%20b; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"]);
    expect(await response.json()).toEqual({
      params: { id: "42", rest: "a b" },
      query: { q: "1,2", r: "é" },
      method: "POST",
      header: "sent",
      body: "the body",
    });
  });

  test("gets and returns bytes unchanged", async () => {
    const bytes = Uint8Array.from({ length: 256 * 1024 }, (_, index) => index % 256);
    const response = await fetch(`${host.url}/api/bytes`, { method: "POST", body: bytes });
    expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
  });

  test("is found by the most specific route", async () => {
    const paths = ["items/special", "items/7", "items/seven", "items/7/8"];
    const answers = await Promise.all(paths.map(async (path) => (await fetch(`${host.url}/api/${path}`)).text()));
    expect(answers).toEqual(["literal", "constrained", "parameter", "rest 7/8"]);
  });

  test("that returns nothing answers 204", async () => {
    expect((await fetch(`${host.url}/api/nothing`)).status).toBe(204);
  });

  test("that throws answers an empty 500, and is logged with its reason", async () => {
    const response = await fetch(`${host.url}/api/throws`);
    expect([response.status, await response.text()]).toEqual([500, ""]);
    await eventually(() => host.lines.some((line) => /function-failed.*on purpose/.test(line)), {
      describe: "a log line about the failure",
    });
    expect(await folder.records("saw-failure")).toMatchObject([{ message: "on purpose" }]);
  });
});

describe("the front end", () => {
  test("answers 404 to an unknown path, a wrong method and a parameter of the wrong kind", async () => {
    const unknown = await fetch(`${host.url}/api/unknown`);
    const wrongMethod = await fetch(`${host.url}/api/echo/1`, { method: "DELETE" });
    const wrongKind = await fetch(`${host.url}/api/echo/one`);
    expect([unknown.status, wrongMethod.status, wrongKind.status]).toEqual([404, 404, 404]);
  });

  test("refuses a request under a foreign host name", async () => {
    const status = await new Promise((resolve, reject) => {
      const options = { port: host.port, path: "/api/nothing", headers: { host: "attacker.example" } };
      request(options, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    expect(status).toBe(421);
  });

  test("runs a timer function by hand", async () => {
    const response = await runByHand("tick", "{}");
    expect(response.status).toBe(202);
    const [record] = await eventually(async () => notEmpty(await folder.records("tick")), { describe: "the run" });
    expect(record?.timer).toEqual({ schedule: { adjustForDST: true }, scheduleStatus: null, isPastDue: false });
  });

  test("runs a queue function by hand with the input as its message", async () => {
    expect((await runByHand("work", '{"input": "{\\"by\\":\\"hand\\"}"}')).status).toBe(202);
    const [record] = await eventually(async () => notEmpty(await folder.records("work-finished")), {
      describe: "the run",
    });
    expect(record?.message).toEqual({ by: "hand" });
  });

  test("refuses to run by hand an unknown function, a malformed body, and what a web page could send", async () => {
    const unknown = await runByHand("unknown", "{}");
    const malformed = await runByHand("tick", "{");
    const fromForm = await fetch(`${host.url}/admin/functions/tick`, { method: "POST", body: "{}" });
    expect([unknown.status, malformed.status, fromForm.status]).toEqual([404, 400, 415]);
  });
});

async function runByHand(name: string, body: string): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`${host.url}/admin/functions/${name}`, { method: "POST", headers, body });
}

function notEmpty<T>(items: T[]): T[] | undefined {
  return items.length > 0 ? items : undefined;
}
