import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "./cache.ts";

/**
 * A new folder for a server's data that goes with the server. Its name holds our process id, so that the next caller can
 * remove what a killed process left behind.
 */
export async function temporaryFolder(kind: string): Promise<string> {
  const parent = join(cacheFolder(), "run");
  await mkdir(parent, { recursive: true });
  await removeOrphans(parent);
  return mkdtemp(join(parent, `${kind}-${process.pid}-`));
}

async function removeOrphans(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const owner = Number(/^[a-z]+-(\d+)-/.exec(name)?.[1]);
    if (owner > 0 && !isAlive(owner)) await rm(join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error: unknown) {
    // EPERM: alive, and somebody else's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
