import { randomUUID } from "node:crypto";
import { lstat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { attempt } from "./directory-errors.ts";
import type { Folder } from "./directory-files.ts";

/** The time that the file system gives to a new file: on a network share it is that of the file server. */
export async function folderClock(incoming: Folder): Promise<Date> {
  const path = join(incoming.path, randomUUID());
  return attempt(incoming.label, "ask for the time", async () => {
    await writeFile(path, "", { flag: "wx" });
    try {
      return (await lstat(path)).mtime;
    } finally {
      // What can't be removed now is swept later.
      await unlink(path).catch(() => undefined);
    }
  });
}
