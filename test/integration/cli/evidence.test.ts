import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { prepareVaults } from "../../../lib/vault/prepare-vaults.ts";
import { silentLogger } from "../../../lib/core/log.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

const TEMPLATE = resolve(import.meta.dirname, "../../../docs/examples/continuity-contract.es.template.md");

let workspace: Workspace;
let exerciseId: string;

const inFolder = (name: string) => join(workspace.folder, name);

async function run(...args: string[]) {
  const { exitCode, stdout, stderr } = await workspace.run([...args, "--json"]);
  return { exitCode, stderr, document: Object(JSON.parse(stdout)) };
}

beforeAll(async () => {
  workspace = await makeWorkspace({ SHOP_URL: "mysql://nobody@localhost/" });
  const context = await workspace.open();
  await prepareVaults(context.vaults.values(), silentLogger);
  const times = { startedAt: "2026-01-20T09:00:00Z", endedAt: "2026-01-20T11:30:00Z" };
  const exercise = { kind: "full-dr", title: "DR", result: "passed", rtoSeconds: 5400, lessons: ["TTL"], ...times };
  await writeFile(inFolder("exercise.json"), JSON.stringify(exercise));
  const { exitCode, document } = await run("exercise", "record", "exercise.json", "--by", "ana");
  expect(exitCode).toBe(0);
  [{ id: exerciseId }] = document.receipts;
});
afterAll(() => workspace[Symbol.asyncDispose]());

describe("the command line about evidence", () => {
  it("shows the receipt of a recorded exercise, as text and as JSON", async () => {
    const { document } = await run("receipt", exerciseId);
    expect(document).toMatchObject({
      state: "valid",
      vaults: ["primary", "offsite"],
      content: { job: "exercise-full-dr" },
    });
    const { stdout } = await workspace.run(["receipt", exerciseId]);
    expect(stdout).toContain("exercise-full-dr of shop: DONE");
    expect(await run("receipt", "20260101T000000000Z-00000000")).toMatchObject({
      exitCode: 2,
      document: { error: { code: "RECEIPT_UNKNOWN" } },
    });
  });

  it("shows the calendar, and signs that a test is waived", async () => {
    const before = await run("calendar");
    const row = (document: { calendar: { activity: string }[] }, name: string) =>
      document.calendar.find(({ activity }) => activity === name);
    expect(row(before.document, "full-dr")).toMatchObject({ lastPass: { receipt: exerciseId } });
    const { nextDue: due } = Object(row(before.document, "tabletop"));
    const waive = ["calendar", "waive", "tabletop", "--due", due, "--reason", "holidays", "--by", "ana"];
    expect((await run(...waive)).exitCode).toBe(2);
    expect((await run(...waive, "--until", "2099-01-01")).exitCode).toBe(0);
    expect(row((await run("calendar")).document, "tabletop")).toMatchObject({ waived: [{ waived: { by: "ana" } }] });
  });

  it("proves the receipts of a copied folder with the public key alone, and shows one that is gone", async () => {
    await cp(inFolder("primary"), inFolder("copy"), { recursive: true, preserveTimestamps: true });
    const offline = [
      "receipts",
      "verify",
      "--vault",
      "dir:copy",
      "--key",
      "keys/sign.pub.pem",
      "--policy",
      "none.json",
    ];
    const named = await run(...offline, "--name", "primary");
    expect(named).toMatchObject({ exitCode: 0, document: { ok: true, receipts: [{ start: "whole", problems: [] }] } });
    await rm(join(inFolder("copy"), "data", "shop", "runs", `${exerciseId}.json`));
    const removed = await run(...offline, "--name", "primary");
    expect(removed).toMatchObject({ exitCode: 1, document: { ok: false } });
    expect(await run("receipts", "verify")).toMatchObject({ exitCode: 0, document: { ok: true } });
    await using other = await makeWorkspace({});
    const wrongKey = await run(...offline.with(5, join(other.folder, "keys", "sign.pub.pem")), "--name", "primary");
    expect(wrongKey.exitCode).toBe(1);
  });

  it("writes a folder of evidence that is proven offline, and never over another one", async () => {
    const to = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    const write = ["evidence", "--from", "2026-01-01", "--to", to, "--lang", "es", "--out", "evidence"];
    expect(await run(...write)).toMatchObject({ exitCode: 0, document: { chain: true, complete: true } });
    expect(await run(...write)).toMatchObject({ exitCode: 2, document: { error: { code: "EVIDENCE_EXISTS" } } });
    const verify = ["evidence", "verify", "evidence", "--key", "keys/sign.pub.pem", "--policy", "none.json"];
    expect(await run(...verify)).toMatchObject({ exitCode: 0, document: { ok: true } });
    await writeFile(join(inFolder("evidence"), "report.json"), "{}");
    expect(await run(...verify)).toMatchObject({ exitCode: 1, document: { problems: [{ file: "report.json" }] } });
  });

  it("fills the contract, and refuses a template without placeholders", async () => {
    const { exitCode, document } = await run("contract", "--template", TEMPLATE, "--out", "contract.md");
    expect(exitCode).toBe(0);
    expect(document.placeholders).toHaveLength(45);
    expect(await readFile(inFolder("contract.md"), "utf8")).toContain(`exercise-full-dr shop ${exerciseId}`);
    await writeFile(inFolder("empty.md"), "# Nothing\n");
    expect(await run("contract", "--template", "empty.md", "--out", "other.md")).toMatchObject({
      exitCode: 2,
      document: { error: { code: "TEMPLATE_INVALID" } },
    });
  });
});
