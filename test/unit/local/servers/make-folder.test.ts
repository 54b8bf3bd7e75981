import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeFolderOnce } from "../../../../local/servers/make-folder.ts";

let parent: string;
let folder: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "resguardo-make-"));
  folder = join(parent, "result");
});

afterEach(() => rm(parent, { recursive: true, force: true }));

async function fillWith(text: string, work: string): Promise<string> {
  await mkdir(join(work, "made"));
  await writeFile(join(work, "made", "file"), text);
  return join(work, "made");
}

test("callers at the same time share one result, and later callers find it", async () => {
  let fills = 0;
  const fill = (work: string) => {
    fills++;
    return fillWith("once", work);
  };
  await Promise.all([makeFolderOnce(folder, fill), makeFolderOnce(folder, fill)]);
  await makeFolderOnce(folder, fill);
  expect([fills, await readdir(parent), await readFile(join(folder, "file"), "utf8")]).toEqual([1, ["result"], "once"]);
});

test("what another process made in the meantime is kept", async () => {
  await makeFolderOnce(folder, async (work) => {
    await mkdir(folder);
    await writeFile(join(folder, "file"), "theirs");
    return fillWith("ours", work);
  });
  expect([await readdir(parent), await readFile(join(folder, "file"), "utf8")]).toEqual([["result"], "theirs"]);
});

test("a failure leaves nothing behind, and the next caller tries again", async () => {
  const failing = makeFolderOnce(folder, async (work) => {
    await fillWith("half", work);
    throw new Error("the disk is full");
  });
  await expect(failing).rejects.toThrow("the disk is full");
  expect(await readdir(parent)).toEqual([]);
  await makeFolderOnce(folder, (work) => fillWith("whole", work));
  expect(await readFile(join(folder, "file"), "utf8")).toBe("whole");
});
