import type { RestoreRequest } from "../engine.ts";
import { readRecordSchemas } from "./finish.ts";
import { recordSchema, RestoreRecord } from "./restore-record.ts";
import { openRestoreSession } from "./restore-session.ts";
import { parseMysqlUrl } from "./url.ts";

/** The backup, one of these, that a run of the same request began to restore and did not finish. */
export async function findBegun(request: RestoreRequest, backups: readonly string[]): Promise<string | undefined> {
  await using control = await openRestoreSession(parseMysqlUrl(request.targetUrl), request);
  const schemas = new Set(await readRecordSchemas(control));
  for (const backupId of backups) {
    const schema = recordSchema({ backupId, ...request });
    if (schemas.has(schema) && (await new RestoreRecord(schema).read(control)) !== undefined) return backupId;
  }
  return undefined;
}
