import { glob, readFile } from "node:fs/promises";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AppError } from "../../lib/core/errors.ts";
import type { Registry } from "./registry.ts";

const CORE_MODULE = "@azure/functions-core";
const CORE_URL = "resguardo-host:functions-core";
const CORE_KEY = Symbol.for("resguardo.functions-core");

/**
 * Imports the files that package.json of `appRoot` names in `main` (a glob), in order, so that they register themselves.
 * The app's own copy of @azure/functions gets the registry's core API. One app for each process, since a module is
 * evaluated once. Throws HOST_APP_INVALID.
 */
export async function loadApp(appRoot: string, registry: Registry): Promise<void> {
  provideCoreModule(registry);
  const files = await entryPoints(appRoot);
  for (const file of files) {
    try {
      await import(pathToFileURL(join(appRoot, file)).href);
    } catch (error: unknown) {
      throw new AppError("HOST_APP_INVALID", `the app's file ${file} can't be loaded: ${messageOf(error)}`, {
        hint: "Nothing may throw while a module loads; Azure would not start this app either.",
        cause: error,
      });
    }
  }
  registry.lock();
}

function provideCoreModule(registry: Registry): void {
  if (Reflect.has(globalThis, CORE_KEY)) {
    throw new AppError("INVARIANT", "a second app in one process: modules of the first would be taken for it");
  }
  Reflect.set(globalThis, CORE_KEY, registry.coreApi);
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === CORE_MODULE ? { url: CORE_URL, format: "commonjs", shortCircuit: true } : next(specifier, context),
    load: (url, context, next) =>
      url === CORE_URL
        ? {
            format: "commonjs",
            source: `module.exports = globalThis[Symbol.for("resguardo.functions-core")];`,
            shortCircuit: true,
          }
        : next(url, context),
  });
}

async function entryPoints(appRoot: string): Promise<string[]> {
  const { main } = JSON.parse(await readFile(join(appRoot, "package.json"), "utf8")) as { main?: string };
  const files = main === undefined ? [] : await Array.fromAsync(glob(main, { cwd: appRoot }));
  if (files.length > 0) return files.toSorted();
  throw new AppError("HOST_APP_INVALID", `no compiled function: package.json names "${main ?? ""}" in main`, {
    hint: "Run npm run build first.",
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
