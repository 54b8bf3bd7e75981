import { createRequire } from "node:module";
import { z } from "zod";
import type { Environment } from "./secrets.ts";

/** Which program wrote a record. */
export interface Tool {
  name: string;
  version: string;
  /** Commit that was deployed, from RESGUARDO_COMMIT; null where nobody set it. */
  commit: string | null;
}

const manifestSchema = z.object({ name: z.string(), version: z.string() });

/** This program, as manifests and receipts name it. */
export function thisTool(env: Environment): Tool {
  // By the package's own name, so that it is found from the sources and from the compiled files alike.
  const { name, version } = manifestSchema.parse(createRequire(import.meta.url)("resguardo/package.json"));
  return { name, version, commit: env["RESGUARDO_COMMIT"] || null };
}
