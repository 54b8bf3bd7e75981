import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

const underWay = new Map<string, Promise<void>>();

/**
 * Makes `folder` unless it is there. `fill` works in an empty folder beside it and returns the path of the finished result,
 * which is then renamed, so that a folder that exists is complete. Callers of one process wait for the first of them; of
 * two processes the first to finish wins.
 */
export async function makeFolderOnce(folder: string, fill: (work: string) => Promise<string>): Promise<void> {
  if (existsSync(folder)) return;
  const making = underWay.get(folder) ?? make(folder, fill).finally(() => underWay.delete(folder));
  underWay.set(folder, making);
  await making;
}

async function make(folder: string, fill: (work: string) => Promise<string>): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const work = await mkdtemp(join(dirname(folder), ".making-"));
  try {
    await rename(await fill(work), folder);
  } catch (error: unknown) {
    // Not empty: another process was faster, and what it made is as good.
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
