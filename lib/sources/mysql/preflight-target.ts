import type { Finding, TargetContext } from "../engine.ts";
import { openRestoreSession } from "./restore-session.ts";
import { readTargetServer, settingFindings, versionNumbers } from "./target-server.ts";
import { parseMysqlUrl } from "./url.ts";

/**
 * What a server needs to be a target of restores at all; what one backup needs of it is looked at by the restore itself.
 * Changes nothing. Throws only when it can't connect.
 */
export async function preflightMysqlTarget(context: TargetContext): Promise<Finding[]> {
  await using connection = await openRestoreSession(parseMysqlUrl(context.url), context);
  const server = await readTargetServer(connection);
  const [major, minor] = versionNumbers(server.version);
  return [
    {
      setting: "version",
      found: server.version,
      required: "8.4 or later",
      ok: major > 8 || (major === 8 && minor >= 4),
      level: "required",
      code: "TARGET_UNSUITABLE",
    },
    ...settingFindings(server),
    {
      setting: "free space",
      found: "not to be known over a connection",
      required: "twice the source's data",
      ok: "unknown",
      level: "advised",
    },
  ];
}
