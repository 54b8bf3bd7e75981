import { AppError, toAppError } from "../../core/errors.ts";
import type { BackupWriter, EngineContent } from "../../vault/backup-writer.ts";
import type { SourceContext } from "../engine.ts";
import { SCHEMA_BLOB } from "./blob-names.ts";
import { type BackupSession, openBackupSession } from "./backup-session.ts";
import { PartReader, type StoredPart } from "./backup-rows.ts";
import { formatFingerprint } from "./fingerprint.ts";
import { partSizes, planParts } from "./ranges.ts";
import type { SchemaModel } from "./schema-model.ts";
import { parseMysqlUrl } from "./url.ts";

/**
 * A full backup: definitions and rows of everything that the policy selects, at one position of the binlog, streamed
 * into `writer`. Memory does not depend on the size of tables or rows. Throws the SOURCE_… codes; what was written until
 * then is no backup, since the manifest comes last.
 */
export async function backupMysql(context: SourceContext, writer: BackupWriter): Promise<EngineContent> {
  try {
    return await readServer(context, writer);
  } catch (error: unknown) {
    // Whatever breaks because of a stop, the stop is the reason.
    context.signal.throwIfAborted();
    throw error;
  }
}

async function readServer(context: SourceContext, writer: BackupWriter): Promise<EngineContent> {
  const { source, logger, signal } = context;
  const selection = { databases: source.databases, excludeTables: source.excludeTables, users: source.users };
  const options = { connections: source.connections, selection, signal, logger };
  await using session = await openBackupSession(parseMysqlUrl(context.url), options);
  const { model } = session;
  assertReadable(model);
  const schemaBlob = await writer.writeBlob(SCHEMA_BLOB, streamOf(JSON.stringify(model)));
  const parts = await readParts(context, session, writer);
  return {
    consistentAt: session.mark.consistentAt,
    position: { ...session.mark.position },
    server: { kind: "mysql", ...model.server },
    blobs: [{ ...schemaBlob, role: "schema" }, ...parts.flatMap(({ blobs }) => blobs)],
    tables: sumTables(model, parts),
    scope: { databases: source.databases ?? null, excludeTables: source.excludeTables },
  };
}

async function readParts(context: SourceContext, session: BackupSession, writer: BackupWriter): Promise<StoredPart[]> {
  const { tables } = session.model;
  const totalBytes = tables.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
  const plan = await planParts(session.control, tables, partSizes(tables, session.readers.length));
  const queue = plan.entries();
  const reader = new PartReader(context, session, writer, totalBytes);
  const stored: StoredPart[] = [];
  let failure: AppError | undefined;
  const work = async (connection: BackupSession["readers"][number]): Promise<void> => {
    const read = reader.on(connection);
    try {
      for (const [index, part] of queue) {
        if (failure !== undefined) return;
        stored.push(await read(part, index + 1));
      }
    } catch (error: unknown) {
      failure ??= toAppError(error);
      // The others would read on for nothing.
      for (const other of session.readers) other.destroy();
    }
  };
  await Promise.all(session.readers.map(work));
  if (failure !== undefined) throw failure;
  return stored;
}

/** Only InnoDB has snapshots. */
function assertReadable(model: SchemaModel): void {
  const others = model.tables.filter(({ engine }) => engine.toLowerCase() !== "innodb");
  if (others.length === 0) return;
  const names = others.slice(0, 5).map(({ schema, name, engine }) => `${schema}.${name} (${engine})`);
  throw new AppError("SOURCE_UNSUPPORTED", `${others.length} tables have no consistent snapshot: ${names.join(", ")}`, {
    hint: 'Convert them with ALTER TABLE … ENGINE=InnoDB, or name them in "excludeTables" of the policy.',
  });
}

function sumTables(model: SchemaModel, parts: readonly StoredPart[]): EngineContent["tables"] {
  return model.tables.map((table) => {
    const own = parts.filter((part) => part.table === table);
    return {
      schema: table.schema,
      name: table.name,
      rows: own.reduce((sum, { rows }) => sum + rows, 0),
      fingerprint: formatFingerprint(own.reduce((sum, part) => sum + part.sum, 0n)),
      plainBytes: own.reduce((sum, part) => sum + part.plainBytes, 0),
    };
  });
}

async function* streamOf(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}
