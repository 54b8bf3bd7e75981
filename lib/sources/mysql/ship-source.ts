import type { ShipContext, ShipReport } from "../engine.ts";
import { parseDuration } from "../../core/time.ts";
import { logPositionSchema } from "./binlog/log-position.ts";
import { writeHeartbeat } from "./heartbeat-table.ts";
import { toFullPosition } from "./place-in-log.ts";
import { shipLog } from "./ship.ts";
import { parseMysqlUrl } from "./url.ts";

/** Ships a MySQL source's binary log as its policy says. */
export async function shipMysql(context: ShipContext): Promise<ShipReport> {
  const { source, url, previous, clock, until, signal, logger, sink, identity } = context;
  return shipLog({
    target: parseMysqlUrl(url),
    identity,
    previous: previous && { id: previous.id, position: logPositionSchema.parse(previous.content.position) },
    sink,
    fulls: async () => (await context.fulls()).map(toFullPosition),
    segmentMs: parseDuration(source.log.segmentEvery),
    until,
    clock,
    signal,
    logger,
    ...(source.log.heartbeatTable && { prepare: (connection) => writeHeartbeat(connection, source.name) }),
  });
}
