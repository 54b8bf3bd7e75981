import manifest from "../../package.json" with { type: "json" };
import type { Environment } from "./secrets.ts";

/** Which program wrote a record. */
export interface Tool {
  name: string;
  version: string;
  /** Commit that was deployed, from RESGUARDO_COMMIT; null where nobody set it. */
  commit: string | null;
}

/** This program, as manifests and receipts name it. */
export function thisTool(env: Environment): Tool {
  return { name: manifest.name, version: manifest.version, commit: env["RESGUARDO_COMMIT"] || null };
}
