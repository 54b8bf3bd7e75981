import { AppError } from "../../core/errors.ts";
import type { BackupWriter, EngineContent } from "../../vault/backup-writer.ts";
import type { EngineContext } from "../engine.ts";
import type { BackupSession } from "./backup-session.ts";
import { rowsBlob, typedBlob } from "./blob-names.ts";
import { rowQueries } from "./columns.ts";
import type { MysqlConnection } from "./connection.ts";
import { formatFingerprint } from "./fingerprint.ts";
import { type JsonHints, readJsonHints } from "./json-shape.ts";
import type { Part } from "./ranges.ts";
import { type RowQuery, RowReader, type RowTotals } from "./row-stream.ts";
import type { TableModel } from "./schema-model.ts";

/** What became of one part. */
export interface StoredPart {
  table: TableModel;
  rows: number;
  /** Sum of the rows' XXH64. */
  sum: bigint;
  plainBytes: number;
  /** None when the part has no rows: an empty table costs no blob. Two when some of its rows are typed. */
  blobs: EngineContent["blobs"];
}

/** Streams parts into blobs, on any number of connections at once. */
export class PartReader {
  readonly #context: EngineContext;
  readonly #session: BackupSession;
  readonly #writer: BackupWriter;
  readonly #totalBytes: number;
  readonly #hints = new Map<TableModel, Promise<JsonHints>>();
  #doneBytes = 0;
  #doneRows = 0;

  constructor(context: EngineContext, session: BackupSession, writer: BackupWriter, totalBytes: number) {
    this.#context = context;
    this.#session = session;
    this.#writer = writer;
    this.#totalBytes = totalBytes;
  }

  /** A function that reads one part after the other on `connection`, which stands on the snapshot. */
  on(connection: MysqlConnection): (part: Part, number: number) => Promise<StoredPart> {
    const reader = new RowReader(connection);
    return async (part, number) => {
      const stored = await this.#store(reader, part, number);
      // As long as the transaction holds the table's metadata lock, nobody can change what was just read.
      await this.#session.watch.check(part.table);
      await connection.execute("ROLLBACK TO SAVEPOINT part");
      this.#doneRows += stored.rows;
      return stored;
    };
  }

  async #store(reader: RowReader, part: Part, number: number): Promise<StoredPart> {
    const { table, condition } = part;
    const stored: StoredPart = { table, rows: 0, sum: 0n, plainBytes: 0, blobs: [] };
    const { plain, again, typed } = rowQueries(table, condition, await this.#hintsOf(table));
    const { skipped } = await this.#write(reader, [plain, again], rowsBlob(number), part, stored);
    if (skipped > 0 && typed !== undefined) await this.#write(reader, [typed], typedBlob(number), part, stored);
    return stored;
  }

  /** Writes the rows of some queries into one blob, if there are any. */
  async #write(
    reader: RowReader,
    queries: readonly (RowQuery | undefined)[],
    blobName: string,
    part: Part,
    stored: StoredPart,
  ): Promise<RowTotals> {
    const rows = readInTurn(reader, queries);
    const first = await rows.next();
    if (first.done === true) return first.value;
    const counted = new CountedRows(first.value, rows, (bytes) => this.#report(bytes));
    const entry = await this.#writer.writeBlob(blobName, counted, (piece) => reader.recycle(piece));
    const { totals } = counted;
    const { table, number } = part;
    stored.rows += totals.rows;
    stored.sum += totals.sum;
    stored.plainBytes += totals.bytes;
    stored.blobs.push({
      ...entry,
      role: "rows",
      rows: totals.rows,
      fingerprint: formatFingerprint(totals.sum),
      table: { schema: table.schema, name: table.name, part: number },
    });
    return totals;
  }

  #hintsOf(table: TableModel): Promise<JsonHints> {
    const hints = this.#hints.get(table) ?? readJsonHints(this.#session.control, table);
    this.#hints.set(table, hints);
    return hints;
  }

  #report(bytes: number): void {
    this.#doneBytes += bytes;
    const [doneBytes, doneRows] = [this.#doneBytes, this.#doneRows];
    this.#context.progress({ phase: "reading rows", doneBytes, totalBytes: this.#totalBytes, doneRows });
  }
}

/** Reads one query after the other, as long as the one before left rows to the next. The totals are of all of them. */
async function* readInTurn(
  reader: RowReader,
  queries: readonly (RowQuery | undefined)[],
): AsyncGenerator<Buffer, RowTotals, undefined> {
  const totals = { rows: 0, sum: 0n, bytes: 0, skipped: 0 };
  for (const [index, query] of queries.entries()) {
    if (query === undefined || (index > 0 && totals.skipped === 0)) continue;
    const { rows, sum, bytes, skipped } = yield* reader.read(query);
    if (index > 0 && rows + skipped !== totals.skipped) {
      throw new AppError(
        "INVARIANT",
        `${query.context}: ${totals.skipped} rows were left, and ${rows + skipped} found`,
      );
    }
    totals.rows += rows;
    totals.sum += sum;
    totals.bytes += bytes;
    totals.skipped = skipped;
  }
  return totals;
}

/** The pieces of a read that has begun; keeps what it adds up to. */
class CountedRows implements AsyncIterable<Buffer> {
  totals: RowTotals = { rows: 0, sum: 0n, bytes: 0, skipped: 0 };
  readonly #first: Buffer;
  readonly #rest: AsyncGenerator<Buffer, RowTotals>;
  readonly #onBytes: (bytes: number) => void;

  constructor(first: Buffer, rest: AsyncGenerator<Buffer, RowTotals>, onBytes: (bytes: number) => void) {
    this.#first = first;
    this.#rest = rest;
    this.#onBytes = onBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (let text: Buffer | undefined = this.#first; text !== undefined; text = await this.#next()) {
        yield text;
        this.#onBytes(text.length);
      }
    } finally {
      // A writer that stops early must not leave the server sending.
      await this.#rest.return(this.totals);
    }
  }

  async #next(): Promise<Buffer | undefined> {
    const next = await this.#rest.next();
    if (next.done !== true) return next.value;
    this.totals = next.value;
    return undefined;
  }
}
