import { silentLogger } from "../../lib/core/log.ts";
import { type ReplayReport, type ReplayRequest, replayLog } from "../../lib/sources/mysql/replay/replay.ts";
import { replayScope } from "../../lib/sources/mysql/replay/scope.ts";
import { parseMysqlUrl } from "../../lib/sources/mysql/url.ts";
import { type LoggingServer, serverLog } from "./server-log.ts";

export type TestReplay = Pick<ReplayRequest, "from" | "checkpointSchema"> & Partial<ReplayRequest>;

/** Replays what one test server logged on another; everything that is not given is the plain choice. */
export async function replay(
  source: LoggingServer,
  target: { url: string },
  request: TestReplay,
): Promise<ReplayReport> {
  return replayLog({
    target: parseMysqlUrl(target.url),
    log: serverLog(source),
    stop: { kind: "latest" },
    scope: replayScope(),
    targetBinlog: "off",
    logger: silentLogger,
    signal: new AbortController().signal,
    ...request,
  });
}
