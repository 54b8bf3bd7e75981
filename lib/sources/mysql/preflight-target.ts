import type { Finding, TargetContext } from "../engine.ts";
import { openRestoreSession } from "./restore-session.ts";
import { readTargetServer } from "./target.ts";
import { parseMysqlUrl } from "./url.ts";

/**
 * What a server needs to be a target of restores at all; what one backup needs of it is looked at by the restore itself.
 * Changes nothing. Throws only when it can't connect.
 */
export async function preflightMysqlTarget(context: TargetContext): Promise<Finding[]> {
  await using connection = await openRestoreSession(parseMysqlUrl(context.url), context);
  const { version, localInfile, readOnly } = await readTargetServer(connection);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return [
    {
      setting: "version",
      found: version,
      required: "8.4 or later",
      ok: major > 8 || (major === 8 && minor >= 4),
      level: "required",
      code: "TARGET_UNSUITABLE",
    },
    {
      setting: "read_only",
      found: readOnly ? "ON" : "OFF",
      required: "OFF",
      ok: !readOnly,
      level: "required",
      change: "SET GLOBAL super_read_only = OFF, GLOBAL read_only = OFF",
      code: "TARGET_UNSUITABLE",
    },
    {
      setting: "local_infile",
      found: localInfile ? "ON" : "OFF",
      required: "ON; else rows come by INSERT, slower",
      ok: localInfile,
      level: "advised",
      change: "SET GLOBAL local_infile = ON",
    },
    {
      setting: "free space",
      found: "not to be known over a connection",
      required: "twice the source's data",
      ok: "unknown",
      level: "advised",
    },
  ];
}
