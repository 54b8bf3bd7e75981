import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds package.json; the same for the sources and for the compiled files below dist. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** Where fetched servers and their data live: `RESGUARDO_CACHE`, or `.resguardo` in the project. May be deleted at any time. */
export function cacheFolder(): string {
  return process.env["RESGUARDO_CACHE"] ?? join(projectRoot(), ".resguardo");
}
