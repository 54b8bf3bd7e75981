import type { Logger } from "../../core/log.ts";
import type { MysqlConnection } from "./connection.ts";
import type { LoadContext } from "./load.ts";
import { type RestoreRecord, stepOf } from "./restore-record.ts";
import { setWhereAllowed } from "./restore-session.ts";
import { readTargetServer } from "./target.ts";

const VARIABLE = "local_infile";

/** How rows get in, and how to leave the server as it was. */
export interface RowWay {
  way: LoadContext["way"];
  close(): Promise<void>;
}

/**
 * Switches `local_infile` on for the time of a restore where it is off and the account may. That it was off stands in the
 * record first, so that whoever goes on after a kill switches it off again.
 */
export async function openRowWay(
  control: MysqlConnection,
  record: RestoreRecord,
  done: ReadonlySet<string>,
  logger: Logger,
): Promise<RowWay> {
  const step = stepOf.setting(VARIABLE);
  const { localInfile } = await readTargetServer(control);
  let isOurs = done.has(step);
  if (!localInfile) {
    await record.add(control, step);
    isOurs = await setWhereAllowed(control, `GLOBAL ${VARIABLE} = ON`, logger);
  }
  const way = localInfile || isOurs ? "load-data" : "insert";
  if (way === "insert") logger.warn("rows-by-insert", { reason: "local_infile is off and can't be switched on" });
  return { way, close: () => (isOurs ? switchOff(control, logger) : Promise.resolve()) };
}

/** Sets `local_infile` back to what it was before a restore. */
export async function switchOff(control: MysqlConnection, logger: Logger): Promise<void> {
  await setWhereAllowed(control, `GLOBAL ${VARIABLE} = OFF`, logger);
}
