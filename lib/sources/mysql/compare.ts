import type { BackupReader } from "../../vault/backup-reader.ts";
import type { Check, RestoreRequest } from "../engine.ts";
import { compareDefinitions } from "./compare-definitions.ts";
import { type MysqlConnection, openConnection } from "./connection.ts";
import { formatFingerprint, readTotals } from "./fingerprint.ts";
import { keyOf } from "./mapping.ts";
import { quoteTable } from "./quoting.ts";
import { planParts } from "./ranges.ts";
import { readModel } from "./read-model.ts";
import { ROW_SESSION } from "./row-stream.ts";
import { readSchema } from "./schema.ts";
import type { SchemaModel, TableModel } from "./schema-model.ts";
import { type RestoreSelection, selectItems, type TableItem, targetSchemas } from "./selection.ts";
import { readTargetObjects } from "./target-objects.ts";
import { runTasks, type Task } from "./task-queue.ts";
import { type MysqlTarget, parseMysqlUrl } from "./url.ts";

/** Of rows read at once by one connection. */
const PART_BYTES = 256 * 1024 * 1024;

/**
 * Compares what stands on the target with the backup: definitions one by one, and the rows of every table by count and
 * fingerprint, read anew. What differs is data; only what keeps from looking throws.
 */
export async function compareMysql(request: RestoreRequest, reader: BackupReader): Promise<Check[]> {
  const target = parseMysqlUrl(request.targetUrl);
  const selection = selectItems(await readModel(reader), reader.manifest, request);
  await using control = await openConnection(target, { signal: request.signal });
  const found = await readFound(control, selection);
  const definitions = await compareDefinitions(control, selection, found);
  const tables = new Set(found.tables.map(({ schema, name }) => keyOf(schema, name)));
  const present = selection.tables.filter(({ to }) => tables.has(keyOf(to.schema, to.name)));
  return [...definitions, ...(await compareRows(control, present, target, request))];
}

/** The definitions in those of the selection's target schemas that are there. */
async function readFound(control: MysqlConnection, selection: RestoreSelection): Promise<SchemaModel> {
  const { schemas } = await readTargetObjects(control, targetSchemas(selection));
  return readSchema(control, { databases: [...schemas], excludeTables: [], users: false });
}

async function compareRows(
  control: MysqlConnection,
  tables: TableItem[],
  target: MysqlTarget,
  request: RestoreRequest,
) {
  const totals = new Map(tables.map((table) => [table, { rows: 0, sum: 0n }]));
  const byModel = new Map<TableModel, TableItem>();
  for (const table of tables) byModel.set({ ...table.model, schema: table.to.schema, name: table.to.name }, table);
  const parts = await planParts(control, [...byModel.keys()], PART_BYTES);
  const totalBytes = tables.reduce((sum, { plainBytes }) => sum + plainBytes, 0);
  let doneBytes = 0;
  const tasks = parts.map((part): Task<MysqlConnection> => async (connection) => {
    const read = await readTotals(connection, part.table, part.condition, (bytes) => {
      doneBytes += bytes;
      request.progress({ phase: "comparing rows", doneBytes, totalBytes });
    });
    const table = byModel.get(part.table);
    const total = table && totals.get(table);
    if (total) {
      total.rows += read.rows;
      total.sum += read.sum;
    }
    return [];
  });
  await runOnConnections(target, request, tasks);
  return [...totals].flatMap(([table, { rows, sum }]) => rowChecks(table, rows, formatFingerprint(sum)));
}

async function runOnConnections(target: MysqlTarget, request: RestoreRequest, tasks: Task<MysqlConnection>[]) {
  const workers: MysqlConnection[] = [];
  const stop = (): void => {
    for (const worker of workers) worker.destroy();
  };
  try {
    for (let count = 0; count < request.connections; count++) {
      const worker = await openConnection(target, { signal: request.signal });
      workers.push(worker);
      await worker.execute(ROW_SESSION);
    }
    await runTasks(workers, tasks, stop);
  } finally {
    stop();
  }
}

function rowChecks(table: TableItem, rows: number, fingerprint: string): Check[] {
  const name = quoteTable(table.to.schema, table.to.name);
  return [
    { name: `${name}: rows`, expected: String(table.rows), found: String(rows), ok: rows === table.rows },
    {
      name: `${name}: fingerprint`,
      expected: table.fingerprint,
      found: fingerprint,
      ok: fingerprint === table.fingerprint,
    },
  ];
}
