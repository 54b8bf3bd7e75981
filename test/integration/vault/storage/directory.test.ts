import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openDirectoryVault } from "../../../../lib/vault/storage/directory.ts";
import { listNames, readAll } from "../../../support/storage-data.ts";

const program = fileURLToPath(new URL("../../../support/vault-process.ts", import.meta.url));
let path: string;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "vault-"));
  await openDirectoryVault("test", path).prepare();
});
afterEach(() => rm(path, { recursive: true }));

it("loses no update when processes count up one record", async () => {
  const children = Array.from({ length: 4 }, () => start("count", path, "counter", "25"));
  const codes = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0] as number));
  expect(codes).toEqual([0, 0, 0, 0]);
  expect((await openDirectoryVault("test", path).state.get("counter"))?.value.toString()).toBe("100");
});

it("shows nothing of a blob whose writer was killed, and clears it away after a day", async () => {
  const vault = openDirectoryVault("test", path);
  const child = start("write", path, "shop/data");
  await once(child.stdout ?? child, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await vault.data.stat("shop/data")).toBeUndefined();
  expect(await listNames(vault.data, "")).toEqual([]);

  const incoming = join(path, "incoming");
  const [leftOver = ""] = await readdir(incoming);
  await vault.prepare();
  expect(await readdir(incoming)).toEqual([leftOver]);
  const yesterday = new Date(Date.now() - 25 * 60 * 60 * 1000);
  await utimes(join(incoming, leftOver), yesterday, yesterday);
  await vault.prepare();
  expect(await readdir(incoming)).toEqual([]);

  await vault.data.create("shop/data", Buffer.from("next run"));
  expect((await readAll(vault.data, "shop/data")).toString()).toBe("next run");
});

function start(...parameters: string[]): ChildProcess {
  return spawn(process.execPath, [program, ...parameters], { stdio: ["ignore", "pipe", "inherit"] });
}
