import type { BackupReader } from "../../vault/backup-reader.ts";
import type { RestoreRequest } from "../engine.ts";
import type { MysqlConnection } from "./connection.ts";
import type { LoadContext } from "./load.ts";
import { openRowWay } from "./local-infile.ts";
import { type RestoreRecord, stepOf } from "./restore-record.ts";
import { openRestoreSession } from "./restore-session.ts";
import { tableTasks } from "./restore-tables.ts";
import type { RestoreSelection } from "./selection.ts";
import { runTasks } from "./task-queue.ts";
import type { MysqlTarget } from "./url.ts";

export interface RowsContext {
  target: MysqlTarget;
  record: RestoreRecord;
  done: ReadonlySet<string>;
  request: RestoreRequest;
  reader: BackupReader;
}

/** Loads rows and builds indexes on the request's number of connections. */
export async function loadTables(control: MysqlConnection, { tables }: RestoreSelection, context: RowsContext) {
  const { target, record, done, request, reader } = context;
  const rowWay = await openRowWay(control, record, done, request.logger);
  const blobs = tables.flatMap((table) => table.blobs);
  const totalBytes = blobs.reduce((sum, { plainBytes }) => sum + plainBytes, 0);
  let doneBytes = blobs
    .filter(({ name }) => done.has(stepOf.blob(name)))
    .reduce((sum, { plainBytes }) => sum + plainBytes, 0);
  const onBytes = (bytes: number): void => {
    doneBytes += bytes;
    const phase = doneBytes < totalBytes ? "loading rows" : "building indexes";
    request.progress({ phase, doneBytes, totalBytes });
  };
  const load: LoadContext = { reader, record, way: rowWay.way, onBytes };
  const workers: MysqlConnection[] = [];
  const stop = (): void => {
    for (const worker of workers) worker.destroy();
  };
  try {
    for (let count = 0; count < request.connections; count++) workers.push(await openRestoreSession(target, request));
    await runTasks(workers, tableTasks(tables, done, load), stop);
  } finally {
    stop();
  }
  await rowWay.close();
}
