import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import { type MysqlConnection, openConnection } from "./connection.ts";
import { assertSameDefinitions, DefinitionWatch } from "./definition-watch.ts";
import { readLogIdentity, readLogPosition } from "./read-position.ts";
import { ROW_SESSION } from "./row-stream.ts";
import { readSchema, type Selection } from "./schema.ts";
import type { SchemaModel } from "./schema-model.ts";
import { openSnapshot, type SnapshotMark } from "./snapshot.ts";
import type { MysqlTarget } from "./url.ts";

const SNAPSHOT_DEADLINE_MS = 60_000;
/** How often to begin again when definitions change while the snapshot is taken. */
const ATTEMPTS = 3;

/** A server held still for a backup: definitions and rows as of one position. */
export interface BackupSession extends AsyncDisposable {
  /** For everything but rows; not in a transaction. */
  readonly control: MysqlConnection;
  /** Each in a read-only transaction on the same snapshot, with a savepoint `part`, set up to read rows. */
  readonly readers: readonly MysqlConnection[];
  readonly model: SchemaModel;
  readonly mark: SnapshotMark;
  readonly watch: DefinitionWatch;
}

export interface SessionOptions {
  connections: number;
  selection: Selection;
  signal: AbortSignal;
  logger: Logger;
}

/**
 * Connects, keeps DDL away where the account may (LOCK INSTANCE FOR BACKUP), and takes the snapshot. The definitions
 * are read before and after it: only when both are the same do they belong to the snapshot.
 */
export async function openBackupSession(target: MysqlTarget, options: SessionOptions): Promise<BackupSession> {
  const { signal, logger, selection } = options;
  const opened: MysqlConnection[] = [];
  const dispose = async (): Promise<void> => {
    for (const connection of opened) connection.destroy();
  };
  try {
    for (let count = 0; count <= options.connections; count++) opened.push(await openConnection(target, { signal }));
    const [control, ...readers] = opened;
    if (control === undefined) throw new AppError("INVARIANT", "a backup without a connection");
    // Without a position there is no backup: that must not come out after an hour of other work.
    await readLogIdentity(control);
    await readLogPosition(control);
    for (const reader of readers) await reader.execute(ROW_SESSION);
    const ddlLocked = await lockDefinitions(control);
    const { model, mark } = await readAtSnapshot(control, readers, { selection, signal, logger });
    for (const reader of readers) await reader.execute("SAVEPOINT part");
    const watch = await DefinitionWatch.start(control, model);
    logger.info("snapshot-taken", { method: mark.method, ddlLocked, consistentAt: mark.consistentAt });
    return { control, readers, model, mark, watch, [Symbol.asyncDispose]: dispose };
  } catch (error: unknown) {
    await dispose();
    throw error;
  }
}

async function readAtSnapshot(
  control: MysqlConnection,
  readers: readonly MysqlConnection[],
  options: Omit<SessionOptions, "connections">,
): Promise<{ model: SchemaModel; mark: SnapshotMark }> {
  for (let attempt = 1; ; attempt++) {
    const before = await readSchema(control, options.selection);
    const mark = await openSnapshot(control, readers, { deadlineMs: SNAPSHOT_DEADLINE_MS, ...options });
    const model = await readSchema(control, options.selection);
    try {
      assertSameDefinitions(before, model);
      return { model, mark };
    } catch (error: unknown) {
      if (attempt === ATTEMPTS) throw error;
      options.logger.warn("snapshot-retried", { reason: "a definition changed" });
    }
  }
}

/** True when DDL waits until the control connection ends; false when the account may not, or DDL is under way. */
async function lockDefinitions(control: MysqlConnection): Promise<boolean> {
  await control.execute("SET SESSION lock_wait_timeout = 5");
  try {
    await control.execute("LOCK INSTANCE FOR BACKUP");
    return true;
  } catch (error: unknown) {
    if (error instanceof AppError && error.code === "SOURCE_GRANT_MISSING") return false;
    if (error instanceof AppError && error.code === "SOURCE_QUERY_FAILED") return false;
    throw error;
  }
}
